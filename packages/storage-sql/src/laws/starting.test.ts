import { expect, it } from "vitest";
import { onEachServer } from "../../test/on-each-server.ts";

const MANY = 60;

onEachServer("what starts", ({ dialect, fresh }) => {
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

  it("starts once, however many processes route it at the same time", async () => {
    const tables = await fresh();
    const processes = [tables.process(), tables.process(), tables.process()];
    const { subscribe, publish } = tables.process();
    await subscribe();
    const started: string[] = [];
    for (let round = 0; round < 10; round += 1) {
      const id = await publish();
      let isRouted = false;
      while (!isRouted) {
        const results = await Promise.all(processes.map(({ route }) => route({ slots: 5 })));
        const claims = results.flatMap((result) => result.claims);
        started.push(...claims.map(({ event }) => event.id));
        isRouted = started.includes(id);
      }
      expect(started).toHaveLength(round + 1);
    }
    expect(await tables.say(`select * from ${tables.table("deliveries")}`)).toHaveLength(10);
    expect(await tables.say(`select * from ${tables.table("unrouted")}`)).toEqual([]);
  });

  it("is left to the process that took it while another was about to", async (test) => {
    test.skip(dialect !== "postgres", "only PostgreSQL routes in one statement");
    const tables = await fresh();
    const [slow, fast, host] = [tables.process(), tables.process(), tables.process()];
    await host.subscribe();
    await host.publish();
    const holding = slow.holdBefore(/^with u as \(delete/);
    const routing = slow.route({ slots: 5 });
    const { letGo } = await holding;
    const { claims } = await fast.route({ slots: 5 });
    expect(claims).toHaveLength(1);
    letGo();
    expect(await routing).toMatchObject({ claims: [], events: 0, deliveries: 0, unannounced: [] });
    const counted = `select (select count(*) from ${tables.table("deliveries")}) as deliveries, (select count(*) from ${tables.table("flights")}) as flights, (select count(*) from ${tables.table("leases")}) as leases`;
    expect(await tables.say(counted)).toEqual([{ deliveries: "1", flights: "1", leases: "1" }]);
    expect(slow.said).not.toContain("commit");
    await host.publish();
    expect((await slow.route({ slots: 5 })).claims).toHaveLength(1);
    expect(slow.said).toContain("commit");
  });

  it("is routed in a transaction where not all of it can begin", async (test) => {
    test.skip(dialect !== "postgres", "only PostgreSQL routes in one statement");
    const tables = await fresh();
    const [host, { route, said }] = [tables.process(), tables.process()];
    await host.subscribe();
    await host.publish();
    await host.publish();
    const { claims, deliveries } = await route({ slots: 1 });
    expect([claims.length, deliveries]).toEqual([1, 2]);
    expect(said).toContain("commit");
  });
});
