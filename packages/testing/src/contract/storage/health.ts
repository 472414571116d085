import assert from "node:assert/strict";
import {
  aGate,
  again,
  anOpenBreaker,
  laws,
  MINUTE,
  NOW,
  newId,
  type StorageCase,
  stateOf,
} from "./stage.ts";

export const healthCases: readonly StorageCase[] = [
  ...laws("beat", {
    "a dispatcher is at work until the instant it gave last, as every process sees": async ({
      storage,
      other,
    }) => {
      const [here, there] = [newId(), newId()];
      const alive = async (now: number): Promise<number> => (await other.backlog(now)).dispatchers;
      assert.equal(await alive(NOW), 0);
      await storage.beat({ id: here, now: NOW, aliveUntil: NOW + MINUTE });
      await other.beat({ id: there, now: NOW, aliveUntil: NOW + 2 * MINUTE });
      assert.deepEqual([await alive(NOW), await alive(NOW + MINUTE)], [2, 1]);
      await storage.beat({ id: here, now: NOW + 5, aliveUntil: NOW + 3 * MINUTE });
      assert.deepEqual([await alive(NOW + MINUTE), await alive(NOW + 2 * MINUTE)], [2, 1]);
      assert.equal(await alive(NOW + 3 * MINUTE), 0);
    },

    "one that says that it ends is gone at once, and those that fell silent are forgotten": async ({
      storage,
    }) => {
      const [first, second, third] = [newId(), newId(), newId()];
      await storage.beat({ id: first, now: NOW, aliveUntil: NOW + MINUTE });
      await storage.beat({ id: second, now: NOW, aliveUntil: NOW + MINUTE });
      await storage.beat({ id: first, now: NOW + 1, aliveUntil: NOW + 1 });
      assert.equal((await storage.backlog(NOW + 1)).dispatchers, 1);
      await storage.beat({ id: third, now: NOW + MINUTE, aliveUntil: NOW + 2 * MINUTE });
      assert.equal((await storage.backlog(NOW)).dispatchers, 1);
    },

    "many at once are all heard": async ({ storage, other }) => {
      await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          (index % 2 === 0 ? storage : other).beat({
            id: newId(),
            now: NOW,
            aliveUntil: NOW + MINUTE,
          }),
        ),
      );
      assert.equal((await storage.backlog(NOW)).dispatchers, 8);
    },
  }),

  ...laws("backlog", {
    "it tells how many subscriptions fail, as long as they exist": async ({
      storage,
      owe,
      claim,
      settle,
    }) => {
      await owe();
      const failing = { since: NOW, attempts: 1, warned: false };
      const { subscription } = await owe();
      for (const flight of (await claim()).claims) {
        await settle(flight, {
          next: { status: "waiting", dueAt: NOW },
          counted: true,
          ...(flight.subscriptionId === subscription.id && { subscription: { failing } }),
        });
      }
      assert.equal((await storage.backlog(NOW)).failing, 1);
      await storage.subscriptions.delete(subscription, NOW);
      assert.equal((await storage.backlog(NOW)).failing, 0);
    },

    "it tells how many gates are paused, and how many are open": async ({
      storage,
      owe,
      claimOne,
      settle,
    }) => {
      const gates = ["token", "host", "calm"].map((name) => aGate(null, name));
      await owe({ lane: { gates } });
      assert.deepEqual((await storage.backlog(NOW)).gates, { paused: 0, open: 0 });
      const states = gates.map((gate, index) =>
        stateOf(gate, {
          ...(index < 2 && { pausedUntil: NOW + MINUTE }),
          ...(index < 1 && { breaker: anOpenBreaker(NOW + 2 * MINUTE) }),
        }),
      );
      const flight = await claimOne();
      await settle(flight, (delivery) => {
        const change = again(NOW);
        return { ...(typeof change === "function" ? change(delivery) : change), gates: states };
      });
      const at = async (now: number): Promise<object> => (await storage.backlog(now)).gates;
      assert.deepEqual(await at(NOW), { paused: 2, open: 1 });
      assert.deepEqual(await at(NOW + MINUTE), { paused: 0, open: 1 });
      assert.deepEqual(await at(NOW + 2 * MINUTE), { paused: 0, open: 0 });
    },
  }),
];
