import assert from "node:assert/strict";
import {
  type Apply,
  type ClaimRules,
  type Json,
  lapse,
  type NewEvent,
  type StoredEvent,
  type SubscriptionRecord,
} from "@posthorn/core";
import {
  ACME,
  aLane,
  anEvent,
  LEASE,
  laws,
  NOW,
  type Stage,
  type StorageCase,
  settlementOf,
  storedOf,
} from "./stage.ts";

const disabledReason = "the channel is gone";

/** Tells that a subscription was switched off. */
const tell = (webhookId: string): NewEvent => {
  const data: Json = { webhook_id: webhookId, webhook_name: "it's", reason: disabledReason };
  return anEvent({ type: "webhook_disabled", payload: JSON.stringify(data) });
};

const off = (record: SubscriptionRecord | null) =>
  record?.enabled === true && { event: tell(record.id) };

/** Switches a subscription off, and tells so if it was on. */
const switchOff: Apply = (_, { subscription }) => ({
  next: { status: "dead", reason: disabledReason },
  counted: true,
  subscription: { disabledReason },
  ...off(subscription),
});

const lapseSwitchesOff: ClaimRules["lapse"] = (delivery, now, { subscription }) => ({
  ...lapse(delivery, now),
  disabledReason,
  ...off(subscription),
});

/** What was told, in any order. */
const toldIn = async ({ storage }: Stage): Promise<readonly StoredEvent[]> =>
  (await storage.history.events({ organization: ACME, type: "webhook_disabled", limit: 99 })).items;

/** Routes, and answers who is owed what was told. */
async function recipients({ route, storage }: Stage): Promise<readonly (readonly string[])[]> {
  const { unannounced } = await route();
  assert.deepEqual(unannounced, []);
  const { items } = await storage.history.deliveries({ organization: ACME, limit: 99 });
  return items
    .filter(({ eventType }) => eventType === "webhook_disabled")
    .map(({ eventId, subscriptionId }) => [eventId, subscriptionId]);
}

export const operationalCases: readonly StorageCase[] = [
  ...laws("settle with an event", {
    "it is appended with what changes, and routed like any other": async (stage) => {
      const { subscription } = await stage.owe();
      const watcher = await stage.subscribe({ eventTypes: ["webhook_disabled"] });
      await stage.subscribe({ eventTypes: ["*", "thing_made"] });
      const event = tell(subscription.id);
      await stage.settle(await stage.claimOne(), {
        next: { status: "dead", reason: disabledReason },
        counted: true,
        subscription: { disabledReason },
        event,
      });
      assert.deepEqual(await toldIn(stage), [storedOf(event)]);
      assert.equal((await stage.storage.backlog(NOW)).unrouted, 1);
      assert.deepEqual(await recipients(stage), [[event.id, watcher.id]]);
      assert.equal((await stage.storage.backlog(NOW)).unrouted, 0);
    },

    "a repeated settlement appends it once, and a late one not at all": async (stage) => {
      await stage.owe();
      const flight = await stage.claimOne();
      const results = [];
      for (const token of ["another", flight.token, flight.token]) {
        const settlement = settlementOf({ ...flight, token });
        results.push(
          ...(await stage.storage.settle([settlement], (given, { subscription, ...state }) => ({
            ...switchOff(given, { ...state, subscription }),
            event: tell(subscription?.id ?? ""),
          }))),
        );
      }
      assert.deepEqual(results, ["late", "settled", "repeated"]);
      assert.equal((await toldIn(stage)).length, 1);
    },

    "it is appended once for all that switch it off at the same time, in any process": async (
      stage,
    ) => {
      const { storage, other } = stage;
      await stage.owe({ count: 8 });
      const { claims } = await stage.claim();
      const settlements = claims.map((claim) => settlementOf(claim));
      await Promise.all([
        storage.settle(settlements.slice(0, 3), switchOff),
        ...settlements
          .slice(3)
          .map((each, index) => (index % 2 === 0 ? storage : other).settle([each], switchOff)),
      ]);
      assert.equal((await toldIn(stage)).length, 1);
    },

    "events of one call are routed in the order of their settlements": async (stage) => {
      for (let count = 0; count < 3; count += 1) await stage.owe();
      const { claims } = await stage.claim();
      const settlements = claims.toReversed().map((claim) => settlementOf(claim));
      const told = new Map<string, string | undefined>();
      await stage.storage.settle(settlements, (settlement, state) => {
        const change = switchOff(settlement, state);
        told.set(settlement.deliveryId, change.event?.id);
        return change;
      });
      const routed: string[] = [];
      await stage.route({}, ({ events }) => {
        routed.push(...events.map(({ event }) => event.id));
        return { deliveries: [], cursors: new Map() };
      });
      assert.deepEqual(
        routed,
        settlements.map(({ deliveryId }) => told.get(deliveryId)),
      );
    },

    "nothing is appended where the rule throws": async (stage) => {
      const { storage } = stage;
      await stage.owe({ count: 2 });
      const { claims } = await stage.claim();
      const [bad, good] = claims.map((claim) => settlementOf(claim));
      assert.ok(bad !== undefined && good !== undefined);
      await assert.rejects(
        storage.settle([bad, good], (settlement, state) => {
          const change = switchOff(settlement, state);
          if (settlement.deliveryId === bad.deliveryId) throw new Error("the rule failed");
          return change;
        }),
        /the rule failed/,
      );
      assert.equal((await toldIn(stage)).length, 1);
    },
  }),

  ...laws("lapse with an event", {
    "it is appended with what switches the subscription off, and routed like any other": async (
      stage,
    ) => {
      const { subscription } = await stage.owe();
      const watcher = await stage.subscribe({ eventTypes: ["webhook_disabled"] });
      await stage.claimOne();
      await stage.claim({ now: NOW + LEASE }, { lapse: lapseSwitchesOff });
      const [event] = await toldIn(stage);
      assert.equal(JSON.parse(event?.payload ?? "{}").webhook_id, subscription.id);
      assert.equal((await stage.storage.subscriptions.get(subscription))?.enabled, false);
      assert.deepEqual(await recipients(stage), [[event?.id, watcher.id]]);
    },

    "the rule sees the subscription, with what it has ruled of it before": async (stage) => {
      const { subscription } = await stage.owe({ count: 3 });
      await stage.claim();
      const seen: unknown[] = [];
      await stage.claim(
        { now: NOW + LEASE },
        {
          lapse: (delivery, now, state) => {
            seen.push(state.subscription);
            return lapseSwitchesOff(delivery, now, state);
          },
        },
      );
      const version = subscription.version + 1;
      const after = { ...subscription, enabled: false, disabledReason, version };
      assert.deepEqual(seen, [subscription, after, after]);
      assert.equal((await toldIn(stage)).length, 1);
    },

    "the rule sees null instead of a subscription that was deleted": async (stage) => {
      const { subscription } = await stage.owe();
      await stage.claimOne();
      await stage.storage.subscriptions.delete(subscription, NOW);
      const seen: unknown[] = [];
      await stage.claim(
        { now: NOW + LEASE },
        {
          lapse: (delivery, now, state) => {
            seen.push(state.subscription);
            return lapse(delivery, now);
          },
        },
      );
      assert.deepEqual(seen, [null]);
    },

    "processes that find the lapse at the same time append it once": async (stage) => {
      const { storage, other, claim } = stage;
      await stage.owe({ count: 4 });
      await claim();
      const rules = { lapse: lapseSwitchesOff };
      await Promise.all(
        [storage, other, storage, other].map((handle) =>
          claim({ now: NOW + LEASE }, rules, handle),
        ),
      );
      assert.equal((await toldIn(stage)).length, 1);
    },

    "where the rule throws nothing lapses, and nothing is appended": async (stage) => {
      const { claim } = stage;
      const { subscription, ids } = await stage.owe({ count: 2 });
      await claim();
      let asked = 0;
      const rules: Partial<ClaimRules> = {
        lapse: (...given) => {
          asked += 1;
          if (asked === 2) throw new Error("the rule failed");
          return lapseSwitchesOff(...given);
        },
      };
      await assert.rejects(claim({ now: NOW + LEASE }, rules), /the rule failed/);
      assert.deepEqual(await toldIn(stage), []);
      assert.equal((await stage.storage.subscriptions.get(subscription))?.enabled, true);
      for (const id of ids) assert.equal((await stage.delivery(id)).inFlight, true);
    },

    "it is appended by a claim that can take nothing": async (stage) => {
      await stage.owe({ lane: aLane({ keyId: "key-9" }) });
      await stage.claim({ keyIds: ["key-9"] });
      await stage.claim({ now: NOW + LEASE, slots: 0, keyIds: [] }, { lapse: lapseSwitchesOff });
      assert.equal((await toldIn(stage)).length, 1);
    },
  }),
];
