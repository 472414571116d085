/** A build in which one rule is wrong: a piece of the source, and what stands there instead. */
export interface Variant {
  readonly name: string;
  /** The law that it breaks. */
  readonly law: string;
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

const core = "packages/core/src";
const memory = "packages/storage-memory/src";

/** The simulation must find every one of them. */
export const variants: readonly Variant[] = [
  {
    name: "token reusable",
    law: "4",
    file: `${memory}/memory.ts`,
    find: "if (owed?.token !== token) return settleLate(settlement, owed);",
    replace:
      'if (owed === undefined || (owed.token !== token && owed.delivery.status !== "pending")) return settleLate(settlement, owed);',
  },
  {
    name: "attempt spent only when it is recorded",
    law: "5",
    file: `${core}/delivery.ts`,
    find: "const lapses = delivery.lapses + 1;",
    replace: "const lapses = delivery.lapses;",
  },
  {
    name: "lease not reclaimed",
    law: "1",
    file: `${memory}/claim.ts`,
    find: "const over = [...until(state.flights, now)];",
    replace: "const over: Owed[] = [];",
  },
  {
    name: "claim reads before it locks",
    law: "3",
    file: `${memory}/claim.ts`,
    find: "const lapsed = endLapses(state, request.now, rules);",
    // What it writes of a lane is as old as the claim before.
    replace: `const lapsed = endLapses(state, request.now, rules);
  const seen = (state as unknown as { empty?: Lane[] }).empty ?? [];
  (state as unknown as { empty?: Lane[] }).empty = [...state.lanes.values()].filter(
    (lane) => lane.waiting.size === 0,
  );
  for (const lane of seen) unschedule(state, lane);`,
  },
  {
    name: "lane write conditional",
    law: "2",
    file: `${memory}/traffic.ts`,
    find: "if (waiting !== undefined || dueAt !== null) {",
    replace: "if (waiting !== undefined || (dueAt !== null && lane.asked === undefined)) {",
  },
  {
    name: "gate kept per process",
    law: "7, 20",
    file: `${core}/dispatcher.ts`,
    find: "const result = await storage.claim(request, { admit, lapse: lapses.rule });",
    replace: `const own = ((clock as unknown as { gates?: Map<string, number> }).gates ??= new Map());
    const ownGates: typeof admit = (gates, now, wanted) => {
      const admission = admit(gates.map((gate) => ({ ...gate, tat: own.get(gate.id) ?? 0 })), now, wanted);
      for (const gate of admission.gates) own.set(gate.id, gate.tat);
      return admission;
    };
    const result = await storage.claim(request, { admit: ownGates, lapse: lapses.rule });`,
  },
  {
    name: "acknowledged before sent",
    law: "I4",
    file: `${core}/dispatcher.ts`,
    find: "const landing = await queue",
    replace: `await settle(call, { type: "attempted", outcome: { type: "delivered" }, startedAt: clock.now(), durationMs: 0, interrupted: false });
    const landing = await queue`,
  },
  {
    name: "breaker spends attempts",
    law: "20",
    file: `${core}/breaker.ts`,
    find: "if (breaker.until > now) return 0;",
    replace: "if (breaker.until > now) return wanted;",
  },
  {
    name: "old epoch moves the breaker",
    law: "20",
    file: `${core}/gate.ts`,
    find: "const breaker = epoch === gate.epoch ? judged(gate.breaker, verdict, now, random) : gate.breaker;",
    replace: "const breaker = judged(gate.breaker, verdict, now, random);",
  },
  {
    name: "disable outside the transaction",
    law: "18, 20",
    file: `${memory}/memory.ts`,
    find: "if (change.subscription && !lane.deleted) learn(state, lane, change.subscription);",
    replace: `if (change.subscription && !lane.deleted) {
            const { disabledReason, ...rest } = change.subscription;
            learn(state, lane, rest);
            const due = state as unknown as { late?: () => void };
            due.late?.();
            due.late = () => disabledReason !== undefined && learn(state, lane, { disabledReason });
          }`,
  },
  {
    name: "failure count not idempotent",
    law: "20",
    file: `${memory}/memory.ts`,
    find: "if (owed?.token !== token) return settleLate(settlement, owed);",
    replace: `if (owed?.token !== token) {
          const result = settleLate(settlement, owed);
          if (result !== "repeated" || owed === undefined || owed.lane.deleted) return result;
          const { subscription } = apply(settlement, {
            delivery: owed.delivery,
            subscription: owed.lane.record,
            gates: gatesOf(state, owed.lane),
            order: "none",
          });
          if (subscription) learn(state, owed.lane, subscription);
          return result;
        }`,
  },
  {
    name: "head skipped",
    law: "10",
    file: `${memory}/traffic.ts`,
    find: "if (delivery.completedAt === null) return;",
    replace: "if (delivery.completedAt === null && !isRetry(delivery)) return;",
  },
  {
    name: "serial order by clock instead of position",
    law: "10",
    file: `${memory}/route.ts`,
    find: 'else if (begin === "wait") waitInTurn(state, owed, queue, occurrence.position);',
    replace:
      'else if (begin === "wait") waitInTurn(state, owed, queue, occurrence.event.occurredAt);',
  },
  {
    name: "Retry-After only for the row",
    law: "9",
    file: `${core}/retry.ts`,
    find: "const pause = outcome.gate === undefined ? null : { gate: outcome.gate, until, askedMs };",
    replace: "const pause = null;",
  },
  {
    name: "refund lost on stop",
    law: "5",
    file: `${core}/settle.ts`,
    find: "const decision = interrupted ? null : decide(outcome, delivery, policy, now, random, together);",
    replace: "const decision = decide(outcome, delivery, policy, now, random, together);",
  },
  {
    name: "prune takes pending",
    law: "19",
    file: `${memory}/housekeeping.ts`,
    find: 'if (owed.some(({ delivery }) => delivery.status === "pending")) continue;',
    replace: "",
  },
  {
    name: "prune before replay",
    law: "19",
    file: `${memory}/housekeeping.ts`,
    find: 'if (owed.some(({ delivery }) => delivery.status === "pending")) continue;',
    // It has looked before something was asked for again.
    replace:
      'if (owed.some(({ delivery }) => delivery.status === "pending" && delivery.redeliveryOf === null)) continue;',
  },
  {
    name: "ambiguous publish repeated without its key",
    law: "16",
    file: `${memory}/append.ts`,
    find: "const earlier = events.get(event.id) ?? (key === null ? undefined : eventsByKey.get(key));",
    replace: "const earlier = events.get(event.id) ?? (key === null ? undefined : undefined);",
  },
  {
    name: "handler started with too little lease",
    law: "6",
    file: `${core}/deliver.ts`,
    find: "if (claim.leaseUntil - now <= timeoutMs + ABORT_GRACE_MS) return",
    replace: "if (claim.leaseUntil < 0) return",
  },
  {
    name: "idle dispatcher trusts only wake-ups",
    law: "22",
    file: `${core}/dispatcher.ts`,
    find: "const poll = now + pollMs;",
    replace: "const poll = Number.POSITIVE_INFINITY;",
  },
  {
    name: "more claimed than there are slots",
    law: "6",
    file: `${core}/room.ts`,
    find: "Math.min(free, perOrganization - (byOrganization.get(organization) ?? 0))",
    replace: "perOrganization - (byOrganization.get(organization) ?? 0)",
  },
  {
    name: "started late behind a limit",
    law: "7",
    file: `${core}/deliver.ts`,
    find: 'if (claim.startBy !== null && now > claim.startBy) return notStarted("its turn has passed");',
    replace: "",
  },
  {
    name: "limit by the rate alone",
    law: "7",
    file: `${core}/gate.ts`,
    find: "return Math.min(most, Math.max(0, Math.floor(free / gap)));",
    replace: "return free < gap ? 0 : most;",
  },
  {
    name: "fast path past a limit",
    law: "8",
    file: `${core}/lane.ts`,
    find: "gates.every((gate) => gate.limit === null && gate.pausedUntil <= now && isCalm(gate))",
    replace: "gates.every((gate) => gate.pausedUntil <= now && isCalm(gate))",
  },
  {
    name: "fast path past a pause",
    law: "8",
    file: `${core}/lane.ts`,
    find: "gates.every((gate) => gate.limit === null && gate.pausedUntil <= now && isCalm(gate))",
    replace: "gates.every((gate) => gate.limit === null)",
  },
  {
    name: "fast path past an order",
    law: "8, 10",
    file: `${core}/lane.ts`,
    find: "!isSerial(lane.order) &&",
    replace: "",
  },
  {
    name: "throttle spends an attempt",
    law: "9",
    file: `${core}/retry.ts`,
    find: "const counted = throttles > FREE_THROTTLES;",
    replace: "const counted = true;",
  },
  {
    name: "organizations out of turn",
    law: "11",
    file: `${memory}/claim.ts`,
    find: "yield value;",
    replace: "yield value; yield* one.lanes;",
  },
  {
    name: "second flight while the first is on",
    law: "4",
    file: `${memory}/traffic.ts`,
    find: "move(state, owed, { dueAt: null }, terms);",
    replace: "move(state, owed, { dueAt: terms.now + 2_000 }, terms);",
  },
  {
    name: "what is gone is not switched off",
    law: "18",
    file: `${core}/retry.ts`,
    find: "{ disable: detail, pause }",
    replace: "{ pause }",
  },
  {
    name: "switched off, but its lane is open",
    law: "18",
    file: `${memory}/subscriptions.ts`,
    find: "lane.parked ||= findings.disabledReason !== undefined;",
    replace: "",
  },
  {
    name: "deleted, but its lane is open",
    law: "18",
    file: `${memory}/subscriptions.ts`,
    find: "lane.parked = true;",
    replace: "",
  },
  {
    name: "configuration kept over a change",
    law: "18",
    file: `${core}/deliver.ts`,
    find: "if (found?.version === subscription.version) return found;",
    replace: "if (found !== undefined) return found;",
  },
  {
    name: "taken by who cannot deliver it",
    law: "6",
    file: `${core}/lane.ts`,
    find: "handlerTypes.includes(lane.handlerType) && (lane.keyId",
    replace: "(lane.keyId",
  },
  {
    name: "taken by who cannot open its secrets",
    law: "6, 18",
    file: `${core}/lane.ts`,
    find: "(lane.keyId === null || keyIds.includes(lane.keyId))",
    replace: "(lane.keyId === null || keyIds.length > 0)",
  },
  {
    name: "a suspect beside others",
    law: "5",
    file: `${core}/dispatcher.ts`,
    find: "suspectFlies = alone && claims.length > 0;",
    replace: "",
  },
  {
    name: "taken while the bus stops",
    law: "6",
    file: `${core}/dispatcher.ts`,
    find: 'if (state === "stopped") return null;',
    replace: "",
  },
  {
    name: "taken by an old clock",
    law: "21",
    file: `${core}/dispatcher.ts`,
    find: 'await clock.refresh();\n    if (state === "stopped") return null;',
    replace: 'if (state === "stopped") return null;',
  },
  {
    name: "settled by an old clock",
    law: "21",
    file: `${core}/settle.ts`,
    find: "await toldTheTime();",
    replace: "",
  },
  {
    name: "started though nobody tells the time",
    law: "6, 7, 21",
    file: `${core}/deliver.ts`,
    find: "isTold = false;",
    replace: "",
  },
  {
    name: "settled though nobody tells the time",
    law: "21",
    file: `${core}/settle.ts`,
    find: "if (!giveUp.aborted) throw error;",
    replace: "void error;",
  },
  {
    name: "no fifth lapse",
    law: "5",
    file: `${core}/delivery.ts`,
    find: "export const MAX_LAPSES = 5;",
    replace: "export const MAX_LAPSES = 50;",
  },
  {
    name: "time from its own clock",
    law: "21",
    file: `${core}/clock.ts`,
    find: "const at = storage.clock === undefined ? system.now() : await storage.clock();",
    replace: "const at = system.now();",
  },
  {
    name: "time measured once",
    law: "21",
    file: `${core}/clock.ts`,
    find: "if (measured && !partedSince(anchored) && elapsed() < keepsMs()) return;",
    replace: "if (measured) return;",
  },
  {
    name: "a slow answer taken for the time",
    law: "21",
    file: `${core}/clock.ts`,
    find: "if (best.tookMs <= LONGEST_ANSWER_MS) break;",
    replace: "break;",
  },
  {
    name: "an unrouted event forgotten",
    law: "19",
    file: `${memory}/housekeeping.ts`,
    find: "|| unrouted.get(event.organization)?.has(event.id)",
    replace: "",
  },
  {
    name: "cursor lost",
    law: "17",
    file: `${core}/plan.ts`,
    find: 'cursors.set(event.id, lastDealtWith(deliveries, event.id) ?? after ?? "");',
    replace: "",
  },
  {
    name: "cursor ignored",
    law: "17",
    file: `${core}/plan.ts`,
    find: "if (subscription.id === subject || (after !== null && subscription.id <= after)) continue;",
    replace: "if (subscription.id === subject) continue;",
  },
  {
    name: "told of what befell oneself",
    law: "18",
    file: `${core}/plan.ts`,
    find: "if (subscription.id === subject || (after !== null && subscription.id <= after)) continue;",
    replace: "if (after !== null && subscription.id <= after) continue;",
  },
  {
    name: "switched off without telling anybody",
    law: "18, 20",
    file: `${memory}/memory.ts`,
    find: "if (change.event) append(state, [change.event]);",
    replace: "",
  },
  {
    name: "breaker never opens",
    law: "20",
    file: `${core}/breaker.ts`,
    find: "if (inARow >= MOST_FAILURES_IN_A_ROW || isBad) return opened(1, now, random);",
    replace: "",
  },
  {
    name: "an open breaker lets everything out at its end",
    law: "20",
    file: `${core}/breaker.ts`,
    find: "return Math.min(wanted, Math.max(0, breaker.width - outAt(breaker, now)));",
    replace: "return wanted;",
  },
  {
    name: "published in a transaction, seen before its commit",
    law: "I2",
    file: "packages/testing/src/transaction.ts",
    find: "append: async (events, tx) => (tx === undefined ? append(events) : keep(events, tx)),",
    replace: "append: async (events) => append(events),",
  },
  {
    name: "a repeated delivery that is still pending",
    law: "19",
    file: `${memory}/memory.ts`,
    find: 'if (ended.delivery.status === "pending") return "pending";',
    replace: "",
  },
  {
    name: "what was not started is not given back",
    law: "6",
    file: `${core}/dispatcher.ts`,
    find: "const release = () => storage.release(call, dueAt);",
    replace: "const release = async () => {};",
  },
  {
    name: "every delivery of a call passes the gate",
    law: "7",
    file: `${memory}/claim.ts`,
    find: "return together.map((each) => fly(state, each, terms, { startBy, call }));",
    replace: `for (const _ of together.slice(1)) keepGates(state, rules.admit(gatesOf(state, lane), terms.now, 1).gates);
      return together.map((each) => fly(state, each, terms, { startBy, call }));`,
  },
  {
    name: "a call takes no slot",
    law: "6",
    file: `${memory}/claim.ts`,
    find: "room.take(placeOf(grant.lane), count);",
    replace: "if (grant.max === 1) room.take(placeOf(grant.lane), count); else free += count;",
  },
  {
    name: "what was tried goes together again",
    law: "5",
    file: `${core}/batch.ts`,
    find: "delivery.attempts === 0 && !isSuspect(delivery);",
    replace: "!isSuspect(delivery);",
  },
  {
    name: "a suspect taken like any other",
    law: "5",
    file: `${memory}/claim.ts`,
    find: "if (!isSuspect(owed.delivery)) found.push(owed);",
    replace: "found.push(owed);",
  },
  {
    name: "more in a call than it may take",
    law: "6",
    file: `${core}/batch.ts`,
    find: "const size = Math.min(max, Math.ceil((joint.length - taken) / left));",
    replace: "const size = Math.ceil((joint.length - taken) / left);",
  },
  {
    name: "calls taken apart by lane, not by call",
    law: "4",
    file: `${core}/batch.ts`,
    find: "(claim) => claim.call ?? claim)",
    replace: "(claim) => (claim.call === null ? claim : claim.subscriptionId))",
  },
  {
    name: "a refused call ends its deliveries",
    law: "5",
    file: `${core}/retry.ts`,
    find: "if (together > 1) return again(now, refusedTogether(outcome.reason, together));",
    replace: "",
  },
  {
    name: "a call's failure counts once for each delivery",
    law: "20",
    file: `${core}/settle.ts`,
    find: "const told = tells && !isChanged ? decision : null;",
    replace: "const told = isChanged ? null : decision;",
  },
  {
    name: "a call that fails counts for a gate once for each delivery",
    law: "20",
    file: `${core}/settle.ts`,
    find: "gates: tells ? state.gates : [],",
    replace: "gates: state.gates,",
  },
  {
    name: "only the first of a call is recorded",
    law: "4",
    file: `${core}/settle.ts`,
    find: "const items = call.map((claim) => itemOf(claim, landing, call));",
    replace: "const items = call.slice(0, 1).map((claim) => itemOf(claim, landing, call));",
  },
  {
    name: "forgotten that it went with others",
    law: "4",
    file: `${core}/settle.ts`,
    find: "together: call.length,",
    replace: "together: 1,",
  },
  {
    name: "only the first of a call is given back",
    law: "6",
    file: `${core}/dispatcher.ts`,
    find: "const release = () => storage.release(call, dueAt);",
    replace: "const release = () => storage.release(call.slice(0, 1), dueAt);",
  },
  {
    name: "doubt is tried again",
    law: "5",
    file: `${core}/retry.ts`,
    find: "if (isAbandoned(outcome, policy)) {",
    replace: "if (policy.unknown === undefined) {",
  },
  {
    name: "a lapse is tried again where doubt ends",
    law: "5",
    file: `${core}/retry.ts`,
    find: 'if (policy.unknown !== "abandon") return lapse(delivery, now);',
    replace: "if (policy.delaysMs.length > 0) return lapse(delivery, now);",
  },
  {
    name: "a throw after the deadline is a failure",
    law: "5",
    file: `${core}/deliver.ts`,
    find: "return answer.isAborted ? unknown(reason) : failed(reason);",
    replace: "return failed(reason);",
  },
  {
    name: "an owner's change makes what is in doubt go again",
    law: "5, 18",
    file: `${core}/settle.ts`,
    find: "if (isChanged && (!isAbandoned(outcome, policy) || current.disabledReason !== null)) {",
    replace: "if (isChanged) {",
  },
  {
    name: "a stop leaves no doubt",
    law: "5",
    file: `${core}/settle.ts`,
    find: 'unknown: isAbandoned(outcome, policy) ? "abandon" : "retry",',
    replace: 'unknown: "retry",',
  },
  {
    name: "a Retry-After is not heard while stopping",
    law: "7",
    file: `${core}/deliver.ts`,
    find: 'type === "delivered" || type === "throttled"',
    replace: 'type === "delivered"',
  },
];
