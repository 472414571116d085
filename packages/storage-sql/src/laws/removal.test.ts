import { describe, expect, it } from "vitest";
import { anEventNamed } from "../../test/events.ts";
import { onEachServer, type Tables } from "../../test/on-each-server.ts";
import { again, NOW, newId } from "../../test/work.ts";

const FORGETTING = /^delete .*(deliveries|attempts)/;
const prune = { before: NOW + 1, max: 9 };
const sweep = { now: NOW, expireBefore: 0, max: 9 };

/** One event, and what asks for its delivery, which has ended, to be repeated. */
async function delivered(tables: Tables) {
  const { subscribe, publish, route, succeed, deliveries } = tables.process();
  await subscribe();
  const eventId = await publish();
  await succeed((await route({ slots: 1 })).claims);
  const [delivery] = await deliveries();
  const id = delivery?.id ?? "";
  const asked = { organization: "acme", id, newId: newId(), now: NOW };
  return { event: { organization: "acme", id: eventId }, asked };
}

onEachServer("an old event", ({ fresh }) => {
  describe("whose delivery is repeated while events are forgotten", () => {
    it("stays, if the repetition comes first", async () => {
      const tables = await fresh();
      const { event, asked } = await delivered(tables);
      const [operator, housekeeper] = [tables.process(), tables.process()];
      const committing = operator.holdBefore(/^commit$/);
      const repeating = operator.storage.redeliver(asked);
      const { letGo } = await committing;
      expect(await housekeeper.storage.prune(prune)).toBe(0);
      letGo();
      expect(await repeating).toBe("created");
      expect(await housekeeper.storage.history.event(event)).toMatchObject({ id: event.id });
    });

    it("goes, if it is forgotten first, and nothing is repeated", async () => {
      const tables = await fresh();
      const { asked } = await delivered(tables);
      const [operator, housekeeper] = [tables.process(), tables.process()];
      const committing = housekeeper.holdBefore(/^commit$/);
      const pruning = housekeeper.storage.prune(prune);
      const { letGo } = await committing;
      const repeating = operator.storage.redeliver(asked);
      await tables.untilWaiting();
      letGo();
      expect([await pruning, await repeating]).toEqual([1, "not_found"]);
      expect(await operator.deliveries()).toEqual([]);
    });
  });

  it("that is sent again while it is forgotten is forgotten, or there for its delivery", async () => {
    const tables = await fresh();
    const [operator, housekeeper] = [tables.process(), tables.process()];
    const subscription = await operator.subscribe();
    const { idempotencyKey: _, announced: __, ...event } = anEventNamed(newId());
    const delivery = {
      id: newId(),
      organization: "acme",
      eventId: event.id,
      eventType: event.type,
      subscriptionId: subscription.id,
      handlerType: subscription.type,
      createdAt: NOW,
    };
    await operator.storage.send(event, delivery);
    await operator.succeed((await operator.claim()).claims);
    const forgetting = housekeeper.holdBefore(FORGETTING);
    const pruning = housekeeper.storage.prune(prune);
    const { letGo } = await forgetting;
    const sending = operator.storage.send(event, delivery);
    await tables.untilWaiting();
    letGo();
    expect([await pruning, await sending]).toEqual([1, true]);
    const kept = await operator.storage.history.event({ organization: "acme", id: event.id });
    expect(await operator.deliveries()).toHaveLength(kept === null ? 0 : 1);
  });

  it("leaves no attempt behind that was late while it was forgotten", async () => {
    const tables = await fresh();
    const [dispatcher, housekeeper] = [tables.process(), tables.process()];
    await dispatcher.subscribe();
    await dispatcher.publish();
    const { claims } = await dispatcher.route({ slots: 1 });
    const [flight] = claims;
    const canceling = { organization: "acme", deliveryId: flight?.deliveryId ?? "" };
    await dispatcher.storage.cancel({ ...canceling, reason: "no", now: NOW });
    const first = housekeeper.holdBefore(FORGETTING);
    const pruning = housekeeper.storage.prune(prune);
    const second = first.then(({ letGo }) => {
      const next = housekeeper.holdBefore(FORGETTING);
      letGo();
      return next;
    });
    const { letGo } = await second;
    const settling = dispatcher.settle(claims, again(NOW));
    await Promise.race([settling, tables.untilWaiting()]);
    letGo();
    expect([await pruning, await settling]).toEqual([1, ["late"]]);
    expect(await tables.say(`select * from ${tables.table("attempts")}`)).toEqual([]);
  });

  it("goes alone when thousands of deliveries go with it, and the others in the next calls", async () => {
    const tables = await fresh();
    const { subscribe, publish, route, succeed, storage, deliveries } = tables.process();
    await subscribe();
    for (let count = 0; count < 3; count += 1) await publish();
    await succeed((await route({ slots: 3 })).claims);
    const columns =
      "organization, event_id, event_type, subscription_id, handler_type, status, attempts, throttles, lapses, created_at, completed_at";
    const copied = tables.table("deliveries");
    for (let doubling = 0; doubling < 13; doubling += 1) {
      await tables.say(
        `insert into ${copied} (id, ${columns}) select concat(id, '-${doubling}'), ${columns} from ${copied}`,
      );
    }
    const answers: number[] = [];
    for (let call = 0; call < 4; call += 1) answers.push(await storage.prune(prune));
    expect(answers).toEqual([1, 1, 1, 0]);
    expect(await deliveries()).toEqual([]);
  }, 30_000);

  it("that somebody removed by hand ends its delivery, and holds up no other", async () => {
    const tables = await fresh();
    const { subscribe, publish, route, claim, deliveries } = tables.process();
    await subscribe();
    const gone = await publish();
    const kept = await publish();
    await route();
    await tables.say(`delete from ${tables.table("events")} where id = '${gone}'`);
    const { claims, nextDueAt } = await claim();
    expect(claims.map(({ event }) => event.id)).toEqual([kept]);
    expect(nextDueAt).toBeGreaterThan(NOW);
    expect(await deliveries()).toMatchObject([
      { status: "canceled", reason: "its event is gone" },
      { status: "pending", inFlight: true },
    ]);
  });
});

onEachServer("an event that is published while others are forgotten", ({ fresh }) => {
  it("stays until it is routed, old as it may say that it is", async () => {
    const tables = await fresh();
    const [first, second, ...housekeepers] = Array.from({ length: 4 }, () => tables.process());
    let published = 0;
    const publishing = [first, second].map(async (publisher) => {
      for (let count = 0; count < 150; count += 1) await publisher?.publish();
      published += 1;
    });
    const forgetting = housekeepers.map(async ({ storage }) => {
      while (published < 2) await storage.prune({ before: NOW + 1, max: 100 });
    });
    await Promise.all([...publishing, ...forgetting]);
    const kept = await tables.say(`select id from ${tables.table("events")}`);
    expect(kept).toHaveLength(300);
  });
});

onEachServer("a deleted subscription", ({ fresh }) => {
  it("keeps its lane until nothing of it is waiting or flying", async () => {
    const tables = await fresh();
    const { subscribe, publish, route, claim, settle, storage } = tables.process();
    const lanes = () => tables.say(`select * from ${tables.table("lanes")}`);
    const subscription = await subscribe();
    await publish();
    await publish();
    await route();
    const { claims } = await claim({ slots: 1 });
    await storage.subscriptions.delete(subscription, NOW);
    expect(await storage.sweep(sweep)).toBe(1);
    expect(await lanes()).toHaveLength(1);
    await settle(claims, again(NOW));
    expect(await lanes()).toHaveLength(1);
    expect(await storage.sweep(sweep)).toBe(2);
    expect(await lanes()).toEqual([]);
  });

  it("whose lane is gone gets nothing back", async () => {
    const tables = await fresh();
    const { subscribe, publish, route, settle, deliveries } = tables.process();
    await subscribe();
    await publish();
    await publish();
    const { claims } = await route({ slots: 2 });
    for (const table of ["lanes", "subscriptions"] as const) {
      await tables.say(`delete from ${tables.table(table)}`);
    }
    await settle(claims.slice(0, 1), again(NOW));
    expect(await deliveries()).toMatchObject([{ status: "canceled" }, { inFlight: true }]);
  });
});
