import assert from "node:assert/strict";
import type { Attempt, SettleChange, SettleState } from "@posthorn/core";
import {
  ACME,
  admitAll,
  aGate,
  again,
  aLane,
  dead,
  delivered,
  LEASE,
  laws,
  MINUTE,
  NOW,
  newId,
  type StorageCase,
  settlementOf,
  stateOf,
} from "./stage.ts";

const waiting = (dueAt: number): SettleChange => ({
  next: { status: "waiting", dueAt },
  counted: true,
});

export const settleCases: readonly StorageCase[] = [
  ...laws("settle", {
    "a delivered delivery has ended when its attempt did": async ({
      owe,
      claimOne,
      settle,
      delivery,
      claim,
    }) => {
      const { ids } = await owe();
      const [id = ""] = ids;
      const before = await delivery(id);
      const flight = await claimOne();
      const timing = { startedAt: NOW + 3, durationMs: 20 };
      assert.equal(await settle(flight, delivered, timing), "settled");
      assert.deepEqual(await delivery(id), {
        ...before,
        status: "delivered",
        dueAt: null,
        attempts: 1,
        completedAt: NOW + 23,
      });
      assert.equal((await claim({ now: NOW + 9 * LEASE })).nextDueAt, null);
    },

    "the attempt is kept as it was reported": async ({ owe, claimOne, settle, attempts }) => {
      await owe();
      const flight = await claimOne();
      const attempt: Attempt = {
        deliveryId: flight.deliveryId,
        token: flight.token,
        startedAt: NOW + 3,
        durationMs: 20,
        outcome: "throttled",
        counted: false,
        late: false,
        reason: "zu schnell \u{1f422}",
        remedy: "Wait.",
        details: { status: 429, ids: ["a", null, 1.5], deep: { ok: true } },
        together: 3,
      };
      await settle(flight, { ...waiting(NOW + MINUTE), counted: false }, attempt);
      assert.deepEqual(await attempts(flight.deliveryId), [attempt]);
    },

    "a delivery that waits again is due when the rule says": async ({
      owe,
      claim,
      claimOne,
      settle,
      delivery,
    }) => {
      const { ids } = await owe();
      await settle(await claimOne(), {
        next: {
          status: "waiting",
          dueAt: NOW + MINUTE,
          reason: "busy",
          attempts: 3,
          throttles: 2,
          lapses: 1,
        },
        counted: true,
      });
      const { status, inFlight, dueAt, reason, attempts, throttles, lapses } = await delivery(
        ids[0] ?? "",
      );
      assert.deepEqual([status, inFlight, dueAt, reason], ["pending", false, NOW + MINUTE, "busy"]);
      assert.deepEqual([attempts, throttles, lapses], [3, 2, 1]);
      assert.equal((await claim()).nextDueAt, NOW + MINUTE);
      assert.equal((await claim({ now: NOW + MINUTE })).claims.length, 1);
    },

    "counters and reason stay when the rule says nothing of them": async ({
      owe,
      claimOne,
      settle,
      delivery,
    }) => {
      const { ids } = await owe();
      await settle(await claimOne(), {
        next: {
          status: "waiting",
          dueAt: NOW,
          reason: "busy",
          attempts: 3,
          throttles: 2,
          lapses: 1,
        },
        counted: true,
      });
      await settle(await claimOne(), waiting(NOW + MINUTE));
      const { reason, attempts, throttles, lapses } = await delivery(ids[0] ?? "");
      assert.deepEqual([reason, attempts, throttles, lapses], ["busy", 3, 2, 1]);
    },

    "a dead delivery stays dead, with its reason": async ({
      owe,
      claim,
      claimOne,
      settle,
      delivery,
    }) => {
      const { ids } = await owe();
      await settle(await claimOne(), dead);
      const { status, reason, dueAt, completedAt } = await delivery(ids[0] ?? "");
      assert.deepEqual([status, reason, dueAt], ["dead", "refused for good", null]);
      assert.equal(completedAt, NOW + 12);
      assert.deepEqual((await claim({ now: NOW + 9 * LEASE })).claims, []);
    },

    "success clears the reason of earlier failures": async ({
      owe,
      claimOne,
      settle,
      delivery,
    }) => {
      const { ids } = await owe();
      await settle(await claimOne(), again(NOW, "busy"));
      await settle(await claimOne(), delivered);
      assert.equal((await delivery(ids[0] ?? "")).reason, null);
    },

    "attempts are answered oldest first": async ({ owe, claimOne, settle, attempts }) => {
      const { ids } = await owe();
      for (const startedAt of [NOW, NOW + 1, NOW + 2]) {
        await settle(await claimOne({ now: startedAt }), again(startedAt), { startedAt });
      }
      const kept = await attempts(ids[0] ?? "");
      assert.deepEqual(
        kept.map(({ startedAt }) => startedAt),
        [NOW, NOW + 1, NOW + 2],
      );
    },

    "the rule sees the delivery, its subscription and its gates as they stand": async ({
      storage,
      owe,
      claimOne,
      settle,
      delivery,
    }) => {
      const gate = aGate();
      const { subscription } = await owe({ lane: { gates: [gate] } });
      const flight = await claimOne();
      const sibling = await owe({ lane: { gates: [gate] } });
      await settle(await claimOne(), { ...waiting(NOW), gates: [stateOf(gate, { epoch: 4 })] });
      const changed = { ...subscription, version: 2, name: "Renamed" };
      const definition = aLane({ gates: [gate] });
      await storage.subscriptions.update(changed, definition);
      const expected = {
        delivery: await delivery(flight.deliveryId),
        subscription: changed,
        gates: [stateOf(gate, { epoch: 4 })],
        order: "none",
      };
      assert.notEqual(sibling.subscription.id, subscription.id);
      const seen: SettleState[] = [];
      await storage.settle([settlementOf(flight)], (_, state) => {
        seen.push(state);
        return waiting(NOW);
      });
      assert.deepEqual(seen.at(-1), expected);
    },

    "a plain settlement's rule sees the delivery, and no subscription": async ({
      storage,
      owe,
      claimOne,
    }) => {
      await owe({ lane: { gates: [aGate()] } });
      const flight = await claimOne();
      const plain = {
        ...settlementOf(flight, { outcome: "delivered", reason: null }),
        plain: true,
      };
      const results = await storage.settle([plain], (_, { delivery, subscription }) => {
        assert.deepEqual(delivery, flight.delivery);
        assert.equal(subscription, null);
        return { next: { status: "delivered", attempts: 1 }, counted: true };
      });
      assert.deepEqual(results, ["settled"]);
      const { status } =
        (await storage.history.delivery({ organization: ACME, id: flight.deliveryId })) ?? {};
      assert.equal(status, "delivered");
    },

    "results are answered in the order of the settlements": async ({ storage, owe, claim }) => {
      const lanes = [await owe(), await owe(), await owe()];
      const { claims } = await claim();
      const settlements = lanes
        .toReversed()
        .flatMap(({ ids }) => claims.filter(({ deliveryId }) => ids.includes(deliveryId)))
        .map((flight) => settlementOf(flight));
      const [first, second, third] = settlements;
      assert.ok(first && second && third);
      const asked: string[] = [];
      const apply = ({ deliveryId }: { deliveryId: string }): SettleChange => {
        if (!asked.includes(deliveryId)) asked.push(deliveryId);
        return waiting(NOW + MINUTE);
      };
      await storage.settle([second], apply);
      const results = await storage.settle(
        [first, second, { ...third, token: newId() }, third],
        apply,
      );
      assert.deepEqual(results, ["settled", "repeated", "late", "settled"]);
    },

    "many settlements of many lanes are recorded in one call": async ({
      storage,
      owe,
      claim,
      delivery,
    }) => {
      const gates = [aGate()];
      const owed = [];
      for (let lane = 0; lane < 5; lane += 1) owed.push(await owe({ count: 10, lane: { gates } }));
      const { claims } = await claim();
      assert.equal(claims.length, 50);
      const results = await storage.settle(
        claims.map((flight) => settlementOf(flight)),
        () => ({
          next: { status: "delivered", attempts: 1 },
          counted: true,
        }),
      );
      assert.deepEqual(
        results,
        claims.map(() => "settled"),
      );
      for (const id of owed.flatMap(({ ids }) => ids)) {
        assert.equal((await delivery(id)).status, "delivered");
      }
    },

    "one settlement that cannot be recorded keeps no other from it": async ({
      storage,
      owe,
      claim,
      delivery,
    }) => {
      await owe({ count: 3 });
      const { claims } = await claim();
      const bad = claims[1]?.deliveryId ?? "";
      const settle = (): Promise<unknown> =>
        storage.settle(
          claims.map((flight) => settlementOf(flight)),
          ({ deliveryId }) => {
            if (deliveryId === bad) throw new Error("the rule failed");
            return { next: { status: "delivered", attempts: 1 }, counted: true };
          },
        );
      await settle().catch(() => {});
      for (const { deliveryId } of claims) {
        const { status, inFlight, attempts } = await delivery(deliveryId);
        const isBad = deliveryId === bad;
        assert.deepEqual(
          [status, inFlight, attempts],
          isBad ? ["pending", true, 0] : ["delivered", false, 1],
        );
      }
      assert.deepEqual(await storage.history.attempts({ organization: ACME, id: bad }), []);
    },
  }),

  ...laws("settle once", {
    "a repeat of an accepted settlement changes nothing": async ({
      owe,
      claimOne,
      settle,
      delivery,
      attempts,
    }) => {
      await owe();
      const flight = await claimOne();
      await settle(flight, again(NOW + MINUTE));
      const before = [await delivery(flight.deliveryId), await attempts(flight.deliveryId)];
      assert.equal(await settle(flight, dead), "repeated");
      assert.deepEqual(
        [await delivery(flight.deliveryId), await attempts(flight.deliveryId)],
        before,
      );
    },

    "a repeat within one call changes nothing": async ({ storage, owe, claimOne, attempts }) => {
      await owe();
      const flight = await claimOne();
      const twice = [settlementOf(flight), settlementOf(flight)];
      const results = await storage.settle(twice, () => waiting(NOW + MINUTE));
      assert.deepEqual(results, ["settled", "repeated"]);
      assert.equal((await attempts(flight.deliveryId)).length, 1);
    },

    "a repeat is known when the delivery is on its next flight": async ({
      owe,
      claimOne,
      settle,
      delivery,
      attempts,
    }) => {
      await owe();
      const first = await claimOne();
      await settle(first, again(NOW));
      const second = await claimOne();
      assert.equal(await settle(first, delivered), "repeated");
      assert.equal((await delivery(first.deliveryId)).inFlight, true);
      assert.equal(await settle(second, delivered), "settled");
      assert.equal((await attempts(first.deliveryId)).length, 2);
    },

    "settled at the same time, one is settled and the others repeat": async ({
      storage,
      other,
      owe,
      claimOne,
      attempts,
    }) => {
      await owe();
      const flight = await claimOne();
      const results = await Promise.all(
        [storage, other, storage, other].map((handle) =>
          handle.settle([settlementOf(flight)], () => waiting(NOW + MINUTE)),
        ),
      );
      assert.deepEqual(results.flat().sort(), ["repeated", "repeated", "repeated", "settled"]);
      assert.equal((await attempts(flight.deliveryId)).length, 1);
    },

    "of a settlement and a lapse at the same time one ends the flight": async ({
      other,
      owe,
      claim,
      delivery,
    }) => {
      await owe({ count: 6 });
      const { claims } = await claim();
      const [results, { lapsed }] = await Promise.all([
        Promise.all(
          claims.map((flight) =>
            other.settle([settlementOf(flight)], () => ({
              next: { status: "delivered", attempts: 1 },
              counted: true,
            })),
          ),
        ),
        claim({ now: NOW + LEASE + 1, slots: 0 }),
      ]);
      for (const [index, { deliveryId }] of claims.entries()) {
        const isLapsed = lapsed.some(({ id }) => id === deliveryId);
        assert.deepEqual(results[index], [isLapsed ? "late" : "settled"]);
        const { status, attempts, lapses } = await delivery(deliveryId);
        assert.deepEqual(
          [status, attempts, lapses],
          isLapsed ? ["pending", 0, 1] : ["delivered", 1, 0],
        );
      }
    },

    "of a settlement and a cancellation at the same time one ends the delivery": async ({
      storage,
      other,
      owe,
      claim,
      delivery,
    }) => {
      await owe({ count: 6 });
      const { claims } = await claim();
      const [results, answers] = await Promise.all([
        Promise.all(
          claims.map((flight) =>
            other.settle([settlementOf(flight)], () => ({
              next: { status: "delivered", attempts: 1 },
              counted: true,
            })),
          ),
        ),
        Promise.all(
          claims.map(({ deliveryId }) =>
            storage.cancel({ organization: ACME, deliveryId, reason: "no", now: NOW }),
          ),
        ),
      ]);
      for (const [index, { deliveryId }] of claims.entries()) {
        const { status, attempts } = await delivery(deliveryId);
        assert.deepEqual(
          [results[index], answers[index], attempts],
          status === "canceled" ? [["late"], "canceled", 0] : [["settled"], "not_pending", 1],
        );
      }
    },

    "a flight whose lease is over can be settled until it lapses": async ({
      owe,
      claim,
      claimOne,
      settle,
      delivery,
    }) => {
      await owe();
      const flight = await claimOne();
      assert.equal(await settle(flight, delivered, { startedAt: NOW + 2 * LEASE }), "settled");
      assert.deepEqual((await claim({ now: NOW + 3 * LEASE })).lapsed, []);
      assert.equal((await delivery(flight.deliveryId)).lapses, 0);
    },
  }),

  ...laws("settle late", {
    "a lapsed flight's attempt is kept, and changes nothing more": async ({
      owe,
      claim,
      claimOne,
      settle,
      delivery,
      attempts,
    }) => {
      const gate = aGate();
      await owe({ lane: { gates: [gate] } });
      const flight = await claimOne();
      const next = await claimOne({ now: NOW + LEASE + 1 });
      const before = await delivery(flight.deliveryId);
      assert.equal(await settle(flight, delivered, { outcome: "delivered", reason: null }), "late");
      assert.deepEqual(await delivery(flight.deliveryId), before);
      const kept = await attempts(flight.deliveryId);
      assert.deepEqual(
        kept.map(({ token, outcome, counted, late }) => [token, outcome, counted, late]),
        [[flight.token, "delivered", false, true]],
      );
      assert.equal(await settle(next, delivered), "settled");
      assert.deepEqual((await claim({ now: NOW + 9 * LEASE })).lapsed, []);
    },

    "a late attempt is kept once": async ({ owe, claimOne, settle, attempts }) => {
      await owe();
      const flight = await claimOne();
      await claimOne({ now: NOW + LEASE + 1 });
      assert.equal(await settle(flight, delivered), "late");
      assert.equal(await settle(flight, delivered), "late");
      assert.equal((await attempts(flight.deliveryId)).length, 1);
    },

    "the attempt of a canceled delivery is late": async ({
      storage,
      owe,
      claimOne,
      settle,
      delivery,
      attempts,
    }) => {
      await owe();
      const flight = await claimOne();
      const { deliveryId } = flight;
      await storage.cancel({ organization: ACME, deliveryId, reason: "no", now: NOW });
      assert.equal(await settle(flight, delivered), "late");
      assert.equal((await delivery(deliveryId)).status, "canceled");
      assert.equal((await attempts(deliveryId))[0]?.late, true);
    },

    "the attempt of a released flight is late": async ({
      storage,
      owe,
      claimOne,
      settle,
      delivery,
    }) => {
      await owe();
      const flight = await claimOne();
      await storage.release([flight], NOW + MINUTE);
      assert.equal(await settle(flight, delivered), "late");
      assert.equal((await delivery(flight.deliveryId)).dueAt, NOW + MINUTE);
    },

    "the attempt of a delivery that is no longer known is late": async ({
      storage,
      owe,
      claimOne,
      settle,
    }) => {
      await owe();
      const flight = await claimOne();
      const reference = { organization: ACME, deliveryId: flight.deliveryId };
      await storage.cancel({ ...reference, reason: "no", now: NOW });
      await storage.prune({ before: NOW + MINUTE, max: 10 });
      assert.equal(await settle(flight, delivered), "late");
    },
  }),

  ...laws("settle with consequences", {
    "gates change for every lane that has them": async ({ owe, claim, claimOne, settle }) => {
      const gate = aGate();
      await owe({ lane: { gates: [gate] } });
      const flight = await claimOne();
      await owe({ lane: { gates: [gate] } });
      const left = stateOf(gate, {
        pausedUntil: NOW + MINUTE,
        epoch: 1,
        tat: 5,
        throttles: 3,
        breaker: { state: "watching", inARow: 2, since: NOW, seen: 5, failed: 4 },
      });
      await settle(flight, { ...waiting(NOW + 5 * MINUTE), gates: [left] });
      const seen: unknown[] = [];
      await claim(
        {},
        {
          admit: (gates, now, wanted) => {
            seen.push(...gates);
            return admitAll(gates, now, wanted);
          },
        },
      );
      assert.deepEqual(seen, [left]);
    },

    "settlements of one call see each other's gates": async ({ storage, owe, claim }) => {
      const gate = aGate();
      await owe({ count: 3, lane: { gates: [gate] } });
      const { claims } = await claim();
      const epochs = new Map<string, number>();
      await storage.settle(
        claims.map((flight) => settlementOf(flight)),
        ({ deliveryId }, { gates }) => {
          const [state = stateOf(gate)] = gates;
          epochs.set(deliveryId, state.epoch);
          return { ...waiting(NOW), gates: [{ ...state, epoch: state.epoch + 1 }] };
        },
      );
      assert.deepEqual([...epochs.values()].sort(), [0, 1, 2]);
      const again = await claim();
      assert.equal(again.claims[0]?.gates[0]?.epoch, 3);
    },

    "settlements of two processes see each other's gates": async ({
      storage,
      other,
      owe,
      claim,
    }) => {
      const gate = aGate();
      await owe({ count: 8, lane: { gates: [gate] } });
      const { claims } = await claim();
      await Promise.all(
        claims.map((flight, index) =>
          (index % 2 === 0 ? storage : other).settle([settlementOf(flight)], (_, { gates }) => ({
            ...waiting(NOW),
            gates: gates.map((state) => ({ ...state, epoch: state.epoch + 1 })),
          })),
        ),
      );
      assert.equal((await claim()).claims[0]?.gates[0]?.epoch, 8);
    },

    "findings are kept with the subscription, and raise no version": async ({
      storage,
      owe,
      claimOne,
      settle,
    }) => {
      const { subscription } = await owe();
      const findings = {
        status: "warning",
        statusDetail: "The channel was renamed.",
        statusCheckedAt: NOW + 4,
        state: { channel: "C1", seen: [1, null] },
      } as const;
      await settle(await claimOne(), { ...waiting(NOW), subscription: findings });
      const kept = await storage.subscriptions.get(subscription);
      assert.deepEqual(kept, { ...subscription, ...findings });
      assert.deepEqual((await claimOne()).subscription, kept);
    },

    "findings that are absent leave what is known": async ({ storage, owe, claimOne, settle }) => {
      const { subscription } = await owe({ record: { status: "ok", state: { channel: "C1" } } });
      await settle(await claimOne(), {
        ...waiting(NOW),
        subscription: { statusDetail: null, statusCheckedAt: NOW },
      });
      const kept = await storage.subscriptions.get(subscription);
      assert.deepEqual(kept, { ...subscription, statusCheckedAt: NOW });
    },

    "a reason to disable switches the subscription off and parks its lane": async ({
      storage,
      owe,
      claim,
      settle,
    }) => {
      const { subscription } = await owe({ count: 2 });
      const [flight] = (await claim({ slots: 1 })).claims;
      assert.ok(flight);
      await settle(flight, {
        next: { status: "dead", reason: "gone" },
        counted: true,
        subscription: { disabledReason: "the channel is gone" },
      });
      const kept = await storage.subscriptions.get(subscription);
      assert.deepEqual([kept?.enabled, kept?.disabledReason], [false, "the channel is gone"]);
      const { claims, nextDueAt } = await claim({ now: NOW + MINUTE });
      assert.deepEqual([claims, nextDueAt], [[], null]);
    },

    "a reason to disable switches off what its owner has changed meanwhile": async ({
      storage,
      owe,
      claimOne,
      settle,
      claim,
    }) => {
      const { subscription } = await owe();
      const flight = await claimOne();
      const changed = { ...subscription, name: "changed meanwhile", version: 2 };
      await storage.subscriptions.update(changed, aLane());
      await settle(flight, { ...waiting(NOW), subscription: { disabledReason: "in doubt" } });
      assert.deepEqual(await storage.subscriptions.get(subscription), {
        ...changed,
        version: 3,
        enabled: false,
        disabledReason: "in doubt",
      });
      assert.deepEqual((await claim({ now: NOW + MINUTE })).claims, []);
    },

    "findings on a deleted subscription harm nobody": async ({
      storage,
      owe,
      claimOne,
      delivery,
    }) => {
      const { subscription } = await owe();
      const flight = await claimOne();
      await storage.subscriptions.delete(subscription, NOW);
      const seen: unknown[] = [];
      const [result] = await storage.settle([settlementOf(flight)], (_, state) => {
        seen.push(state.subscription);
        return {
          next: { status: "delivered", attempts: 1 },
          counted: true,
          subscription: { status: "ok" },
        };
      });
      assert.deepEqual([result, seen.at(-1)], ["settled", null]);
      assert.equal((await delivery(flight.deliveryId)).status, "delivered");
      assert.equal(await storage.subscriptions.get(subscription), null);
    },
  }),
];
