import assert from "node:assert/strict";
import type { Replay, ReplayStep } from "@posthorn/core";
import {
  ACME,
  again,
  aLane,
  dead,
  delivered,
  LEASE,
  laws,
  MINUTE,
  NOW,
  newId,
  type Stage,
  type StorageCase,
} from "./stage.ts";

const LATER = NOW + MINUTE;

const aReplay = (subscriptionId: string, given: Partial<Replay> = {}): Replay => ({
  id: newId(),
  organization: ACME,
  subscriptionId,
  from: NOW,
  until: LATER,
  which: "dead",
  status: "running",
  redelivered: 0,
  createdAt: LATER,
  endedAt: null,
  ...given,
});

const step = ({ storage }: Pick<Stage, "storage">, max = 99): Promise<ReplayStep> =>
  storage.replays.step({ now: LATER, max, newId });

/** A subscription with three deliveries that died, oldest first, and one that was delivered. */
async function died(stage: Stage) {
  const { owe, claim, settle, subscribe } = stage;
  const owed = await owe({ count: 4 });
  for (const flight of (await claim()).claims) {
    await settle(flight, flight.deliveryId === owed.ids[3] ? delivered : dead);
  }
  await subscribe();
  return { ...owed, dead: owed.ids.slice(0, 3) };
}

async function repeated({ storage }: Pick<Stage, "storage">): Promise<readonly (string | null)[]> {
  const { items } = await storage.history.deliveries({ organization: ACME, limit: 99 });
  return items
    .filter(({ redeliveryOf }) => redeliveryOf !== null)
    .map(({ redeliveryOf }) => redeliveryOf)
    .sort();
}

export const replayCases: readonly StorageCase[] = [
  ...laws("replay", {
    "what died is delivered again, once, and the replay is done": async (stage) => {
      const { storage, claim } = stage;
      const { subscription, dead: ids } = await died(stage);
      const replay = aReplay(subscription.id);
      assert.equal(await storage.replays.create(replay), true);
      const done = { ...replay, redelivered: 3, status: "done", endedAt: LATER };
      assert.deepEqual(await step(stage), { made: 3, running: true, ended: done });
      assert.deepEqual(await storage.replays.get(replay), done);
      assert.deepEqual(await repeated(stage), ids);
      assert.equal((await claim({ now: LATER })).claims.length, 3);
      assert.deepEqual(await step(stage), { made: 0, running: false, ended: null });
    },

    "all that ended can be meant, and what was repeated is not repeated again": async (stage) => {
      const { storage } = stage;
      const { subscription, ids } = await died(stage);
      const [first = ""] = ids;
      await storage.redeliver({ organization: ACME, id: first, newId: newId(), now: NOW });
      await storage.replays.create(aReplay(subscription.id, { which: "all" }));
      assert.equal((await step(stage)).made, 3);
      assert.deepEqual(await repeated(stage), ids);
    },

    "only what was created in its time is meant, and nothing pending": async (stage) => {
      const { storage, owe, claim, settle } = stage;
      const { subscription } = await owe({ at: NOW - 1 });
      const { id } = subscription;
      for (const flight of (await claim()).claims) await settle(flight, dead);
      await storage.replays.create(aReplay(id, { which: "all" }));
      assert.equal((await step(stage)).made, 0);
      await storage.replays.create(aReplay(id, { from: NOW - 1, until: NOW }));
      assert.equal((await step(stage)).made, 1);
      await storage.replays.create(aReplay(id, { which: "all", until: LATER + 1 }));
      assert.equal((await step(stage)).made, 0);
    },

    "it goes in steps, which another process can take": async (stage) => {
      const { storage, other, claim } = stage;
      const { subscription, dead: ids } = await died(stage);
      const replay = aReplay(subscription.id);
      await storage.replays.create(replay);
      const first = await storage.replays.step({ now: LATER, max: 2, newId });
      assert.deepEqual(first, { made: 2, running: true, ended: null });
      assert.equal((await other.replays.get(replay))?.redelivered, 2);
      await claim({ now: LATER });
      const last = await other.replays.step({ now: LATER, max: 2, newId });
      assert.deepEqual([last.made, last.ended?.redelivered], [1, 3]);
      assert.deepEqual(await repeated(stage), ids);
    },

    "steps at the same time repeat nothing twice": async (stage) => {
      const { storage, other, claim } = stage;
      const { subscription, dead: ids } = await died(stage);
      await storage.replays.create(aReplay(subscription.id));
      for (let turns = 0; turns < 6; turns += 1) {
        await Promise.all(
          [storage, other, storage].map((handle) =>
            handle.replays.step({ now: LATER, max: 1, newId }),
          ),
        );
        await claim({ now: LATER, leaseMs: 9 * LEASE });
      }
      assert.deepEqual(await repeated(stage), ids);
    },

    "a lane in which enough waits is left alone, and others are not": async (stage) => {
      const { storage, owe, claim, settle } = stage;
      const busy = await died(stage);
      const free = await owe();
      const { claims } = await claim();
      for (const flight of claims) {
        await settle(flight, free.ids.includes(flight.deliveryId) ? dead : again(NOW + 9 * MINUTE));
      }
      await storage.replays.create(aReplay(busy.subscription.id));
      assert.equal((await step(stage, 2)).made, 2);
      assert.deepEqual(await step(stage, 2), { made: 0, running: true, ended: null });
      await storage.replays.create(aReplay(free.subscription.id));
      assert.equal((await step(stage, 2)).made, 1);
      assert.equal((await repeated(stage)).length, 3);
    },

    "in a disabled subscription it waits with the rest": async (stage) => {
      const { storage, claim } = stage;
      const { subscription } = await died(stage);
      const off = { ...subscription, enabled: false, version: 2 };
      await storage.subscriptions.update(off, aLane({ parked: true }));
      await storage.replays.create(aReplay(subscription.id));
      assert.equal((await step(stage)).made, 3);
      assert.deepEqual((await claim({ now: LATER })).claims, []);
    },

    "a canceled one makes nothing more": async (stage) => {
      const { storage } = stage;
      const { subscription } = await died(stage);
      const replay = aReplay(subscription.id);
      await storage.replays.create(replay);
      assert.equal((await step(stage, 1)).made, 1);
      assert.equal(await storage.replays.cancel(replay, LATER), true);
      assert.equal((await step(stage)).made, 0);
      const canceled = { ...replay, status: "canceled", redelivered: 1, endedAt: LATER };
      assert.deepEqual(await storage.replays.get(replay), canceled);
      assert.equal(await storage.replays.cancel(replay, LATER), false);
    },

    "one whose subscription is gone is canceled": async (stage) => {
      const { storage } = stage;
      const { subscription } = await died(stage);
      const replay = aReplay(subscription.id);
      await storage.replays.create(replay);
      await storage.subscriptions.delete(subscription, NOW);
      const { made, ended } = await step(stage);
      assert.deepEqual([made, ended?.status], [0, "canceled"]);
      assert.equal(await storage.replays.create(aReplay(subscription.id)), false);
    },

    "it belongs to its organization, and beginning it again changes nothing": async (stage) => {
      const { storage } = stage;
      const { subscription } = await died(stage);
      const replay = aReplay(subscription.id);
      const foreign = { organization: "umbrella", id: replay.id };
      const { id: subscriptionId } = subscription;
      assert.equal(
        await storage.replays.create(aReplay(subscriptionId, { organization: "umbrella" })),
        false,
      );
      await storage.replays.create(replay);
      await step(stage, 1);
      assert.equal(await storage.replays.create(replay), true);
      assert.equal((await storage.replays.get(replay))?.redelivered, 1);
      assert.equal(await storage.replays.get(foreign), null);
      assert.equal(await storage.replays.cancel(foreign, LATER), false);
      const page = await storage.replays.list({ organization: ACME, subscriptionId, limit: 9 });
      assert.deepEqual(
        page.items.map(({ id }) => id),
        [replay.id],
      );
      const theirs = await storage.replays.list({ organization: "umbrella", limit: 9 });
      assert.deepEqual(theirs.items, []);
    },

    "pages go from new to old, and back": async (stage) => {
      const { storage } = stage;
      const { subscription } = await died(stage);
      const replays = [1, 2, 3].map(() => aReplay(subscription.id));
      for (const replay of replays) await storage.replays.create(replay);
      const [oldest, middle, newest] = replays.map(({ id }) => id);
      const page = async (request: object) => {
        const { items, older, newer } = await storage.replays.list({
          organization: ACME,
          limit: 1,
          ...request,
        });
        return [items.map(({ id }) => id), older, newer];
      };
      assert.deepEqual(await page({}), [[newest], true, false]);
      assert.deepEqual(await page({ after: newest }), [[middle], true, true]);
      assert.deepEqual(await page({ before: middle }), [[newest], true, false]);
      assert.deepEqual(await page({ after: middle }), [[oldest], false, true]);
    },

    "prune forgets replays that have ended, and no running one": async (stage) => {
      const { storage } = stage;
      const { subscription } = await died(stage);
      const ended = aReplay(subscription.id);
      const running = aReplay(subscription.id);
      await storage.replays.create(ended);
      await storage.replays.cancel(ended, LATER);
      await storage.replays.create(running);
      await storage.prune({ before: LATER, max: 1 });
      assert.notEqual(await storage.replays.get(ended), null);
      await storage.prune({ before: LATER + 1, max: 1 });
      assert.equal(await storage.replays.get(ended), null);
      assert.notEqual(await storage.replays.get(running), null);
    },
  }),

  ...laws("cancelAll", {
    "what is pending of a subscription ends, at most `max` at a time": async ({
      storage,
      owe,
      claim,
      delivery,
    }) => {
      const { subscription, ids } = await owe({ count: 3 });
      const others = await owe();
      const [flight] = (await claim({ slots: 1 })).claims;
      const request = {
        organization: ACME,
        subscriptionId: subscription.id,
        from: 0,
        until: LATER,
        reason: "enough",
        now: LATER,
        max: 2,
      };
      assert.equal(await storage.cancelAll({ ...request, organization: "umbrella" }), 0);
      assert.equal(await storage.cancelAll(request), 2);
      assert.equal(await storage.cancelAll(request), 1);
      assert.equal(await storage.cancelAll(request), 0);
      for (const id of ids) {
        const { status, reason, completedAt } = await delivery(id);
        assert.deepEqual([status, reason, completedAt], ["canceled", "enough", LATER]);
      }
      assert.equal((await delivery(others.ids[0] ?? "")).status, "pending");
      assert.notEqual(flight, undefined);
    },

    "only what was created in its time ends": async ({ storage, owe }) => {
      const { subscription } = await owe({ count: 2 });
      const request = {
        organization: ACME,
        subscriptionId: subscription.id,
        from: NOW + 1,
        until: LATER,
        reason: "enough",
        now: LATER,
        max: 9,
      };
      assert.equal(await storage.cancelAll(request), 0);
      assert.equal(await storage.cancelAll({ ...request, from: 0, until: NOW }), 0);
      assert.equal(await storage.cancelAll({ ...request, from: NOW, until: NOW + 1 }), 2);
    },
  }),
];
