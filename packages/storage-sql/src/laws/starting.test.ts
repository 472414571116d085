import { expect, it } from "vitest";
import { onEachServer } from "../../test/on-each-server.ts";

const MANY = 60;

onEachServer("what starts", ({ fresh }) => {
  it("has its whole subscription along, however many its organization has", async () => {
    const tables = await fresh();
    const { subscribe, publish, route } = tables.process();
    const records = [];
    for (let nr = 0; nr < MANY; nr += 1) {
      const eventTypes = [nr % 2 === 0 ? "parameter_updated" : "project_created"];
      records.push(await subscribe({ name: `Nr. ${nr}`, eventTypes, configuration: { nr } }));
    }
    const owed = records.filter((_, nr) => nr % 2 === 0);
    for (const time of ["first", "second"]) {
      await publish({ type: "parameter_updated" });
      const { claims } = await route({ slots: MANY, perLane: MANY });
      const bySubscription = claims.map(({ subscription }) => subscription);
      expect(bySubscription, `the ${time} time`).toEqual(owed);
    }
  });
});
