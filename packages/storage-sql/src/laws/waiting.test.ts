import { describe, expect, it } from "vitest";
import { onEachServer } from "../../test/on-each-server.ts";
import { aGate, LEASE, NOW } from "../../test/work.ts";

onEachServer("what waits", ({ fresh }) => {
  describe("in a lane that says something else", () => {
    it.each([
      ["that nothing waits", "next_due_at = null"],
      ["that it can wait", "next_due_at = 9000000000000"],
    ])("%s: is found when its lease is over", async (_, lie) => {
      const tables = await fresh();
      const { subscribe, publish, route, claim } = tables.process();
      await subscribe();
      await publish();
      await route();
      await claim();
      await tables.say(`update ${tables.table("lanes")} set ${lie}`);
      const { lapsed, claims } = await claim({ now: NOW + LEASE + 1 });
      expect([lapsed.length, claims.length]).toEqual([1, 1]);
    });

    it("because it is gone: is found, and canceled", async () => {
      const tables = await fresh();
      const { subscribe, publish, route, claim, deliveries } = tables.process();
      await subscribe();
      await publish();
      await route();
      await claim();
      for (const table of ["lanes", "subscriptions"] as const) {
        await tables.say(`delete from ${tables.table(table)}`);
      }
      await claim({ now: NOW + LEASE + 1 });
      expect(await deliveries()).toMatchObject([{ status: "canceled", lapses: 1 }]);
    });
  });

  it("is found though its router met a claim that saw nothing of it", async () => {
    const tables = await fresh();
    const { subscribe, publish, route, claim } = tables.process();
    await subscribe();
    await publish();
    await route();
    const claiming = await tables.begin();
    await claiming.say(`select * from ${tables.table("lanes")} for update`);
    await publish();
    const routing = route();
    await Promise.race([routing, tables.untilWaiting()]);
    await claiming.say(`update ${tables.table("lanes")} set next_due_at = null`);
    await claiming.end("commit");
    await routing;
    expect((await claim()).claims).toHaveLength(2);
  });

  it("is found once its router has committed, though claims looked for it before", async () => {
    const tables = await fresh();
    const { claim, ...other } = tables.process();
    const router = tables.process();
    await other.subscribe();
    await other.publish();
    const committing = router.holdBefore(/^commit$/);
    const routing = router.route();
    const { letGo } = await committing;
    expect((await claim()).claims).toEqual([]);
    letGo();
    await routing;
    expect((await claim()).claims).toHaveLength(1);
  });

  it("is taken if it was committed before the lane was locked, after the claim began", async () => {
    const tables = await fresh();
    const [claimer, router] = [tables.process(), tables.process()];
    await router.subscribe();
    await router.publish();
    await router.route();
    const locking = claimer.holdBefore(/ skip locked$/);
    const claiming = claimer.claim();
    const { letGo } = await locking;
    await router.publish();
    await router.route();
    letGo();
    expect((await claiming).claims).toHaveLength(2);
    expect((await claimer.claim()).nextDueAt).toBe(NOW + LEASE);
  });

  it("is read in a statement after the one that locks its lane", async () => {
    const tables = await fresh();
    const { subscribe, publish, route, claim, said } = tables.process();
    await subscribe();
    await publish();
    await route();
    said.length = 0;
    await claim();
    const [lanes, deliveries] = [tables.table("lanes"), tables.table("deliveries")];
    const locking = said.findIndex((text) => text.endsWith(" for update skip locked"));
    expect(said[locking]).toContain(lanes);
    expect(said[locking]).not.toContain(deliveries);
    const reading = said.findIndex((text, at) => at > locking && text.includes(deliveries));
    expect(said[reading]).toMatch(/^\(?select/);
  });
});

onEachServer("a lane that is free", ({ fresh }) => {
  it("is not written, nor locked, when something starts at once or succeeds", async () => {
    const tables = await fresh();
    const { subscribe, publish, route, succeed, said } = tables.process();
    const gates = [{ ...aGate(), limit: null }];
    await subscribe({ status: "ok" }, { gates });
    await publish();

    said.length = 0;
    const { claims } = await route({ slots: 9 });
    expect(claims).toHaveLength(1);
    const changes = said.filter((text) => /^(insert|update|delete)| for update/.test(text));
    for (const table of ["lanes", "gates"] as const) {
      expect(changes.filter((text) => text.includes(tables.table(table)))).toEqual([]);
    }

    said.length = 0;
    expect(await succeed(claims)).toEqual(["settled"]);
    for (const table of ["lanes", "gates", "subscriptions"] as const) {
      expect(said.filter((text) => text.includes(tables.table(table)))).toEqual([]);
    }
  });
});
