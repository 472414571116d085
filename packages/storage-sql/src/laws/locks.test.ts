import { describe, expect, it } from "vitest";
import { isDeadlock, onEachServer } from "../../test/on-each-server.ts";
import { storm } from "../../test/storm.ts";
import { aGate, again, LEASE, NOW, settlementOf } from "../../test/work.ts";

onEachServer("locks", ({ fresh }) => {
  it("are taken in one order everywhere, so that nobody deadlocks", {
    timeout: 30_000,
  }, async () => {
    const tables = await fresh();
    const processes = Array.from({ length: 4 }, () => tables.process());
    await storm(processes, 3_000);
    const errors = processes.flatMap((each) => each.errors);
    expect(errors.filter(isDeadlock)).toEqual([]);
  });

  it("are not kept, by a claim, on lanes that it leaves out", async () => {
    const tables = await fresh();
    const { subscribe, publish, route, claim, holdBefore } = tables.process();
    const held = await subscribe();
    await subscribe();
    await publish();
    await route();
    const host = await tables.begin();
    const lane = `${tables.table("lanes")} where subscription_id = '${held.id}'`;
    await host.say(`select * from ${lane} for update`);
    const flying = holdBefore(/update .*deliveries/);
    const claiming = claim();
    const { letGo } = await flying;
    const changing = host.say(`update ${lane.replace(" where", " set next_due_at = 7 where")}`);
    const first = await Promise.race([
      changing.then(() => "the host goes on"),
      tables.untilWaiting().then(() => "the host waits"),
    ]);
    letGo();
    expect((await claiming).claims).toHaveLength(1);
    await changing;
    await host.end("commit");
    expect(first).toBe("the host goes on");
  });

  describe("that a host holds for long", () => {
    /** Two subscriptions, of which a host is changing one. */
    async function held() {
      const tables = await fresh();
      const work = tables.process("hasty");
      const [changing, other] = [
        await work.subscribe({ eventTypes: ["one"] }, { gates: [aGate()] }),
        await work.subscribe({ eventTypes: ["two"] }, { gates: [aGate()] }),
      ];
      const publish = async (): Promise<void> => {
        await work.publish({ type: "one" });
        await work.publish({ type: "two" });
      };
      const hold = async () => {
        const host = await tables.begin();
        await work.save(changing, { gates: [aGate()] }, host.tx);
        return host;
      };
      return { tables, ...work, changing, other, publish, hold };
    }

    it("keep no event waiting that owes nothing to the lane", async () => {
      const { publish, hold, route, storage } = await held();
      await publish();
      const host = await hold();
      expect(await route()).toMatchObject({ events: 1, deliveries: 1, unroutable: null });
      await host.end("commit");
      expect(await storage.backlog(NOW)).toMatchObject({ unrouted: 1 });
      expect(await route({ now: NOW + 1_000 })).toMatchObject({ events: 1, deliveries: 1 });
    });

    it("keep no other flight from lapsing", async () => {
      const { publish, hold, route, claim, other, changing } = await held();
      await publish();
      await route();
      expect((await claim()).claims).toHaveLength(2);
      const host = await hold();
      const late = NOW + LEASE + 1;
      const { lapsed } = await claim({ now: late });
      expect(lapsed.map(({ subscriptionId }) => subscriptionId)).toEqual([other.id]);
      await host.end("commit");
      const rest = (await claim({ now: late })).lapsed;
      expect(rest.map(({ subscriptionId }) => subscriptionId)).toEqual([changing.id]);
    });

    it("keep nothing waiting behind other gates", async () => {
      const { tables, publish, route, claim, storage } = await held();
      await publish();
      await route();
      const gates = await tables.say(`select id from ${tables.table("gates")} order by id`);
      const host = await tables.begin();
      await host.say(
        `select * from ${tables.table("gates")} where id = '${String(gates[0]?.["id"])}' for update`,
      );
      expect((await claim()).claims).toHaveLength(1);
      await host.end("commit");
      expect((await claim()).claims).toHaveLength(1);
      expect(await storage.backlog(NOW)).toMatchObject({ inFlight: 2 });
    });

    it("keep no other settlement of a group from being recorded", async () => {
      const { publish, hold, route, claim, storage, other, deliveries } = await held();
      await publish();
      await route();
      const { claims } = await claim();
      const host = await hold();
      const settling = storage.settle(
        claims.map((each) => settlementOf(each, false)),
        () => again(NOW),
      );
      await expect(settling).rejects.toThrow();
      const settled = (await deliveries()).filter(({ inFlight }) => !inFlight);
      expect(settled.map(({ subscriptionId }) => subscriptionId)).toEqual([other.id]);
      await host.end("rollback");
      await storage.settle(
        claims.map((each) => settlementOf(each, false)),
        () => again(NOW),
      );
      expect((await deliveries()).map(({ inFlight }) => inFlight)).toEqual([false, false]);
    });
  });
});
