import assert from "node:assert/strict";
import { admit, type GateState, isCalm } from "@posthorn/core";
import {
  aGate,
  aLane,
  anOpenBreaker,
  laws,
  MINUTE,
  NOW,
  planOf,
  type Stage,
  type StorageCase,
  settlementOf,
  stateOf,
  terms,
} from "./stage.ts";

const UNTIL = NOW + MINUTE;

/** Lanes behind one gate, which opens until a minute from now; what waits in them is due. */
async function behindAnOpenGate(
  { owe, claimOne, settle }: Stage,
  { lanes, state }: { readonly lanes: number; readonly state?: Partial<GateState> },
): Promise<{ readonly gate: ReturnType<typeof aGate> }> {
  const gate = aGate();
  await owe({ lane: { gates: [gate] } });
  const flight = await claimOne();
  const left = stateOf(gate, { epoch: 1, breaker: anOpenBreaker(UNTIL), ...state });
  await settle(flight, { ...waiting(NOW), gates: [left] });
  for (let lane = 1; lane < lanes; lane += 1) await owe({ lane: { gates: [gate] } });
  return { gate };
}

const waiting = (dueAt: number) =>
  ({ next: { status: "waiting", dueAt, reason: "refused" }, counted: false }) as const;

const rules = {
  admit,
  lapse: () => assert.fail("nothing has lapsed"),
};

export const breakerCases: readonly StorageCase[] = [
  ...laws("breaker", {
    "an open gate lets nothing through, in any process, and says when to come again": async (
      stage,
    ) => {
      await behindAnOpenGate(stage, { lanes: 3 });
      for (const handle of [stage.storage, stage.other]) {
        const { claims, nextDueAt } = await handle.claim(terms(), rules);
        assert.deepEqual([claims, nextDueAt], [[], UNTIL]);
        assert.deepEqual((await handle.claim(terms({ now: UNTIL - 1 }), rules)).claims, []);
      }
    },

    "when its time is over, one probe goes, whatever the number of lanes and processes": async (
      stage,
    ) => {
      const { storage, other } = stage;
      await behindAnOpenGate(stage, { lanes: 4 });
      const results = await Promise.all(
        [storage, other, storage, other].map((handle) =>
          handle.claim(terms({ now: UNTIL }), rules),
        ),
      );
      const claims = results.flatMap((result) => result.claims);
      assert.deepEqual(
        claims.map(({ gates }) => gates.map(({ epoch, calm }) => [epoch, calm])),
        [[[1, false]]],
      );
      const later = await storage.claim(terms({ now: UNTIL + 500 }), rules);
      assert.deepEqual(later.claims, []);
    },

    "once probes are back, as many more go as the gate is left wide": async (stage) => {
      const { storage, other, settle } = stage;
      const { gate } = await behindAnOpenGate(stage, { lanes: 6 });
      const { claims } = await storage.claim(terms({ now: UNTIL }), rules);
      const [probe] = claims;
      assert.ok(probe !== undefined && claims.length === 1);
      const left = stateOf(gate, { epoch: 1, breaker: anOpenBreaker(UNTIL, { width: 2 }) });
      await settle(probe, { ...waiting(UNTIL + MINUTE), gates: [left] });
      const next = await other.claim(terms({ now: UNTIL + 5_000 }), rules);
      assert.equal(next.claims.length, 2);
    },

    "a suspect behind an open gate waits for it as well": async ({
      owe,
      claim,
      claimOne,
      settle,
      storage,
    }) => {
      const gate = aGate();
      await owe({ lane: { gates: [gate] } });
      const flight = await claimOne();
      const left = stateOf(gate, { breaker: anOpenBreaker(UNTIL) });
      await settle(flight, {
        next: { status: "waiting", dueAt: NOW, lapses: 2 },
        counted: false,
        gates: [left],
      });
      assert.deepEqual((await claim({ alone: true })).claims, []);
      const then = await storage.claim(terms({ now: UNTIL, alone: true }), rules);
      assert.equal(then.claims.length, 1);
    },

    "a gate stays open when a subscription behind it is saved": async (stage) => {
      const { storage, claim, subscribe } = stage;
      const { gate } = await behindAnOpenGate(stage, { lanes: 1 });
      const { items } = await storage.subscriptions.list({ organization: "acme", limit: 1 });
      const [record] = items;
      assert.ok(record !== undefined);
      const definition = aLane({ gates: [gate] });
      await storage.subscriptions.update({ ...record, version: 2 }, definition);
      await subscribe({ eventTypes: ["other"] }, { gates: [gate] });
      assert.deepEqual((await claim()).claims, []);
      const { claims } = await claim({ now: UNTIL });
      assert.equal(claims[0]?.gates[0]?.epoch, 1);
    },

    "a settlement sees the breaker as it stands, and what it leaves is null again": async (
      stage,
    ) => {
      const { storage, claim } = stage;
      await behindAnOpenGate(stage, { lanes: 2, state: { throttles: 2 } });
      const { claims } = await claim({ now: UNTIL });
      const seen: (readonly [number, GateState["breaker"]])[] = [];
      await storage.settle(
        claims.map((flight) => settlementOf(flight)),
        (_, { gates }) => {
          for (const { throttles, breaker } of gates) seen.push([throttles, breaker]);
          const healed = gates.map((gate) => ({ ...gate, throttles: 0, breaker: null, epoch: 2 }));
          return { ...waiting(UNTIL), gates: healed };
        },
      );
      const open = anOpenBreaker(UNTIL, { out: 1, outUntil: UNTIL + MINUTE });
      assert.deepEqual(seen, [[2, open]]);
      const after = await claim({ now: UNTIL + MINUTE });
      assert.deepEqual(
        after.claims.map(({ gates }) => gates.map(({ epoch, calm }) => [epoch, calm])),
        [[[2, true]], [[2, true]]],
      );
    },

    "a plan sees what a gate remembers, and what starts at once knows that it is not calm": async ({
      owe,
      publish,
      route,
      claimOne,
      settle,
    }) => {
      const gate = aGate();
      await owe({ lane: { gates: [gate] }, record: { eventTypes: ["*"] } });
      const breaker = { state: "watching", inARow: 1, since: NOW, seen: 2, failed: 1 } as const;
      const left = stateOf(gate, { breaker });
      await settle(await claimOne(), { ...waiting(UNTIL), gates: [left] });
      await publish();
      const start = planOf("start");
      const { claims } = await route({ slots: 9 }, (input) => {
        const [candidate] = input.candidates("acme");
        assert.deepEqual(candidate?.gates, [left]);
        assert.equal(isCalm(left), false);
        return start(input);
      });
      assert.deepEqual(
        claims.map(({ gates }) => gates.map(({ calm }) => calm)),
        [[false]],
      );
    },

    "settlements of two processes are both counted": async (stage) => {
      const { storage, other, owe, claim } = stage;
      const gate = aGate();
      for (let lane = 0; lane < 6; lane += 1) await owe({ lane: { gates: [gate] } });
      const { claims } = await claim();
      await Promise.all(
        claims.map((flight, index) =>
          (index % 2 === 0 ? storage : other).settle([settlementOf(flight)], (_, { gates }) => ({
            ...waiting(NOW),
            gates: gates.map((state) => ({ ...state, throttles: state.throttles + 1 })),
          })),
        ),
      );
      const seen: number[] = [];
      await claim(
        { slots: 1 },
        {
          admit: (gates, now, wanted) => {
            for (const { throttles } of gates) seen.push(throttles);
            return admit(gates, now, wanted);
          },
        },
      );
      assert.deepEqual(seen, [6]);
    },
  }),
];
