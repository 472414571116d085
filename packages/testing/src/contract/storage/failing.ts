import assert from "node:assert/strict";
import { type Apply, type Failing, failedAgain, type SubscriptionRecord } from "@posthorn/core";
import {
  aLane,
  delivered,
  laws,
  MINUTE,
  NOW,
  type Stage,
  type StorageCase,
  settlementOf,
} from "./stage.ts";

const LATER = NOW + 9 * MINUTE;

/** Counts one failure more, beginning now. */
const failedOnceMore: Apply = (_, { subscription }) => ({
  next: { status: "waiting", dueAt: LATER, reason: "refused" },
  counted: true,
  subscription: { failing: failedAgain(subscription?.failing ?? null, false, NOW).failing },
});

const failingOf = async (
  { storage }: Pick<Stage, "storage">,
  subscription: SubscriptionRecord,
): Promise<Failing | null | undefined> => (await storage.subscriptions.get(subscription))?.failing;

export const failingCases: readonly StorageCase[] = [
  ...laws("failing", {
    "what is remembered of failures is kept, seen by the next claim, and forgotten when told":
      async (stage) => {
        const { subscription } = await stage.owe({ count: 2 });
        const [first, second] = (await stage.claim()).claims;
        assert.ok(first !== undefined && second !== undefined);
        assert.equal(first.subscription.failing, null);
        const failing = { since: NOW - 7, attempts: 50, warned: true };
        const next = { status: "waiting", dueAt: NOW } as const;
        await stage.settle(first, { next, counted: true, subscription: { failing } });
        assert.deepEqual(await failingOf(stage, subscription), failing);
        const again = await stage.claimOne();
        assert.deepEqual(again.subscription.failing, failing);
        await stage.settle(again, {
          next: { status: "delivered" },
          counted: true,
          subscription: { failing: null },
        });
        assert.equal(await failingOf(stage, subscription), null);
        await stage.settle(second, delivered);
        assert.equal(await failingOf(stage, subscription), null);
      },

    "each settlement of one call counts": async (stage) => {
      const { subscription } = await stage.owe({ count: 5 });
      const { claims } = await stage.claim();
      await stage.storage.settle(
        claims.map((claim) => settlementOf(claim)),
        failedOnceMore,
      );
      assert.deepEqual(await failingOf(stage, subscription), {
        since: NOW,
        attempts: 5,
        warned: false,
      });
    },

    "each of many calls at once counts, in any process": async (stage) => {
      const { storage, other } = stage;
      const { subscription } = await stage.owe({ count: 8 });
      const { claims } = await stage.claim();
      await Promise.all(
        claims.map((claim, index) =>
          (index % 2 === 0 ? storage : other).settle([settlementOf(claim)], failedOnceMore),
        ),
      );
      assert.equal((await failingOf(stage, subscription))?.attempts, 8);
    },

    "a repeated settlement counts once, and a late one not at all": async (stage) => {
      const { storage } = stage;
      const { subscription } = await stage.owe();
      const flight = await stage.claimOne();
      const again = settlementOf(flight);
      const late = settlementOf({ ...flight, token: "another" });
      const results = [];
      for (const settlement of [again, again, late]) {
        results.push(...(await storage.settle([settlement], failedOnceMore)));
      }
      assert.deepEqual(results, ["settled", "repeated", "late"]);
      assert.equal((await failingOf(stage, subscription))?.attempts, 1);
    },

    "the one that switches it off keeps what waits, for when it is on again": async (stage) => {
      const { storage } = stage;
      const { subscription } = await stage.owe({ count: 3 });
      const { claims } = await stage.claim({ slots: 2 });
      await storage.settle(
        claims.map((claim) => settlementOf(claim)),
        (_, state) => ({
          next: { status: "waiting", dueAt: NOW, reason: "refused" },
          counted: true,
          ...(state.subscription?.enabled === true && {
            subscription: { failing: null, disabledReason: "nothing arrives" },
          }),
        }),
      );
      const off = await storage.subscriptions.get(subscription);
      assert.ok(off !== null);
      assert.deepEqual([off.enabled, off.failing], [false, null]);
      assert.deepEqual((await stage.claim({ now: LATER })).claims, []);
      const on = { ...off, enabled: true, disabledReason: null, version: off.version + 1 };
      assert.equal(await storage.subscriptions.update(on, aLane()), true);
      assert.equal((await stage.claim({ now: LATER })).claims.length, 3);
    },

    "saving a subscription writes what it says of failures": async (stage) => {
      const { storage } = stage;
      const failing = { since: NOW, attempts: 3, warned: false };
      const record = await stage.subscribe({ failing });
      assert.deepEqual(await failingOf(stage, record), failing);
      const saved = { ...record, failing: null, version: record.version + 1 };
      await storage.subscriptions.update(saved, aLane());
      assert.equal(await failingOf(stage, record), null);
    },
  }),
];
