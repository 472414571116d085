import assert from "node:assert/strict";
import {
  type Candidate,
  type Claim,
  type ClaimRules,
  freshGate,
  type GateState,
  type LaneDefinition,
  type NewEvent,
  type PlannedDelivery,
  pass,
  type RouteInput,
  type Storage,
  type SubscriptionRecord,
} from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { describe, it } from "vitest";
import { transactional } from "../transaction.ts";
import { type StorageHarness, storageContract } from "./index.ts";

type Memory = Storage<unknown>;

/** What is wrong with a storage, the case that finds it, and how it comes about. */
type Flaw = readonly [flaw: string, caughtBy: string, broken: (sound: Memory) => Memory];

const flaws: readonly Flaw[] = [
  [
    "adds a repeated event again",
    "append: a repeated append answers the same, and adds the event only once",
    (sound) => ({
      ...sound,
      append: (events) => sound.append(events.map((event) => ({ ...event, id: anotherId() }))),
    }),
  ],
  [
    "marks a repeated event again",
    "append: a repeated append does not mark a routed event again",
    marksAgain,
  ],
  [
    "ignores idempotency keys",
    "append: a used idempotency key answers the earlier event and adds nothing",
    (sound) => ({
      ...sound,
      append: (events) => sound.append(events.map((event) => ({ ...event, idempotencyKey: null }))),
    }),
  ],
  [
    "shares idempotency keys between organizations",
    "append: an idempotency key belongs to its organization",
    sharesKeys,
  ],
  [
    "takes anything for a transaction",
    "append: what is no transaction of this storage is refused before anything is written",
    (sound) => ({ ...sound, append: (events) => sound.append(events) }),
  ],
  [
    "hands out what it keeps",
    "append: what went in and what comes out cannot change what is stored",
    handsOutItsOwn,
  ],
  [
    "hides disabled subscriptions from the plan",
    "route: a disabled subscription is owed its deliveries too, and they wait",
    (sound) => ({
      ...sound,
      route: (request, plan) =>
        sound.route(request, ({ candidates, ...input }) =>
          plan({
            ...input,
            candidates: (organization) =>
              candidates(organization).filter(({ lane }) => !lane.parked),
          }),
        ),
    }),
  ],
  [
    "forgets cursors",
    "route: an event with more subscriptions than fit owes each of them one delivery",
    (sound) => ({
      ...sound,
      route: (request, plan) =>
        sound.route(request, (input) => ({ ...plan(input), cursors: new Map() })),
    }),
  ],
  [
    "tells of events that their publishers announced",
    "route: only events that no publisher announced are answered",
    (sound) => ({
      ...sound,
      append: (events, tx) =>
        sound.append(
          events.map((event) => ({ ...event, announced: false })),
          tx,
        ),
    }),
  ],
  [
    "claims from parked lanes",
    "claim: it takes nothing from parked lanes, and waits for nothing in them",
    (sound) => redefining(sound, (lane) => ({ ...lane, parked: false })),
  ],
  [
    "claims what no handler of the process can deliver",
    "claim: it takes only what the handler types of the request can serve",
    (sound) => claiming(sound, { handlerTypes: ["http", "chat", "fax"] }),
  ],
  [
    "claims what no key of the process opens",
    "claim: it takes only what the keys of the request can open",
    (sound) => claiming(sound, { keyIds: ["key-1", "key-2"] }),
  ],
  [
    "ignores slots",
    "claim: it takes at most as many as there are slots",
    (sound) => claiming(sound, { slots: 1_000 }),
  ],
  [
    "ignores the limit of one lane",
    "claim: it takes at most so many of one lane",
    (sound) => claiming(sound, { perLane: 1_000 }),
  ],
  ["claims twice", "claim: a delivery is in at most one flight", claimsTwice],
  [
    "strands what is routed while it claims",
    "claim: what is routed while claims run is claimed, and nothing twice",
    strandsWhileClaiming,
  ],
  [
    "forgets what passed a gate",
    "claim through gates: lanes that share a gate share its limit, in every process",
    (sound) => ({
      ...sound,
      claim: (request, rules) =>
        sound.claim(request, {
          ...rules,
          admit: (gates, now, wanted) => rules.admit(gates.map(freshGate), now, wanted),
        }),
    }),
  ],
  [
    "has each go alone whatever the request says",
    "claim of several as one call: what else is due goes together, filled evenly, the earliest first",
    (sound) => claiming(sound, { perCall: new Map() }),
  ],
  [
    "fills the first call to the brim",
    "claim of several as one call: what else is due goes together, filled evenly, the earliest first",
    (sound) =>
      calling(sound, (claims) =>
        claims.map((claim, nr) => ({ ...claim, call: `${Math.floor(nr / 4)}` })),
      ),
  ],
  [
    "puts together what can go alone",
    "claim of several as one call: each goes alone where no more is due than may go",
    (sound) => claiming(sound, { slots: 1 }),
  ],
  [
    "takes one more in a call than it may",
    "claim of several as one call: a call takes no more than it may, and the rest waits",
    (sound) => claiming(sound, { perCall: new Map([["http", 5]]) }),
  ],
  [
    "puts together what a handler takes one by one",
    "claim of several as one call: only handler types take several of which the request says so",
    (sound) => claiming(sound, { perCall: new Map([["chat", 2]]) }),
  ],
  [
    "has one name for all calls",
    "claim of several as one call: each call has a name of its own",
    (sound) => calling(sound, (claims) => claims.map((claim) => ({ ...claim, call: "call" }))),
  ],
  [
    "mixes the claims of calls",
    "claim of several as one call: claims of one call follow each other, and have the same lease",
    (sound) => calling(sound, (claims) => [...claims.slice(1), ...claims.slice(0, 1)]),
  ],
  [
    "has each delivery of a call pass the gates",
    "claim of several as one call: a call passes each gate once",
    (sound) => ({
      ...sound,
      claim: (request, rules) =>
        sound.claim(request, {
          ...rules,
          admit: (gates, now, wanted) => {
            const admission = rules.admit(gates, now, wanted);
            const { count } = admission;
            return { ...admission, gates: admission.gates.map((gate) => pass(gate, now, count)) };
          },
        }),
    }),
  ],
  [
    "puts what was tried together with others",
    "claim of several as one call: what was tried goes in a call of its own",
    (sound) => calling(sound, (claims) => claims.map((claim) => ({ ...claim, call: "call" }))),
  ],
  [
    "takes what was throttled for tried",
    "claim of several as one call: what was throttled for free goes together again",
    (sound) =>
      calling(sound, (claims) =>
        claims.map((claim) => (claim.delivery.throttles > 0 ? { ...claim, call: null } : claim)),
      ),
  ],
  [
    "gives back a whole call for one of its flights",
    "claim of several as one call: each flight of a call ends by itself",
    releasesCalls,
  ],
  [
    "keeps no order in calls for several",
    "claim of several as one call: in a lane with an order, the first of different queues go together, and no other",
    (sound) => redefining(sound, (lane) => ({ ...lane, order: "none" })),
  ],
  [
    "starts several as one call",
    "route: what starts at once goes alone, whatever a call may take",
    (sound) => ({
      ...sound,
      route: async (request, plan) => {
        const routed = await sound.route(request, plan);
        return { ...routed, claims: routed.claims.map((claim) => ({ ...claim, call: "call" })) };
      },
    }),
  ],
  [
    "has each process send probes of its own",
    "breaker: when its time is over, one probe goes, whatever the number of lanes and processes",
    (sound) => ({
      ...sound,
      claim: (request, rules) =>
        sound.claim(request, {
          ...rules,
          admit: (gates, now, wanted) => ({
            ...rules.admit(gates, now, wanted),
            gates: [],
          }),
        }),
    }),
  ],
  [
    "believes every gate to be calm",
    "breaker: a plan sees what a gate remembers, and what starts at once knows that it is not calm",
    (sound) => ({
      ...sound,
      route: async (request, plan) => {
        const routed = await sound.route(request, plan);
        const calm = ({ gates, ...claim }: Claim): Claim => ({
          ...claim,
          gates: gates.map((gate) => ({ ...gate, calm: true })),
        });
        return { ...routed, claims: routed.claims.map(calm) };
      },
    }),
  ],
  [
    "closes gates when a subscription is saved",
    "breaker: a gate stays open when a subscription behind it is saved",
    (sound) =>
      redefining(sound, (lane) => ({
        ...lane,
        gates: lane.gates.map((gate) => ({ ...gate, breaker: null })),
      })),
  ],
  [
    "lets waiting deliveries grow old",
    "sweep: deliveries that have waited for too long end, whatever they wait for",
    (sound) => ({ ...sound, sweep: (request) => sound.sweep({ ...request, expireBefore: 0 }) }),
  ],
  [
    "serves the longest backlog first",
    "claim fairly: a lane that was served goes behind lanes that wait",
    servesBacklogs,
  ],
  [
    "serves whoever has waited for longest",
    "claim organizations in turn: no organization has a second lane while another that has something due has none",
    servesByAge,
  ],
  [
    "never waits for anything",
    "claim says when to come again: the earliest instant at which something is due",
    (sound) => answering(sound, { nextDueAt: null }),
  ],
  [
    "waits for what was made to wait last",
    "claim says when to come again: a lane waits for the earliest of what waits in it, whatever came last",
    waitsForTheLast,
  ],
  [
    "never lets the dispatcher rest",
    "claim says when to come again: null if there is nothing to wait for",
    (sound) => answering(sound, { nextDueAt: 0 }),
  ],
  [
    "does not wait for leases",
    "claim says when to come again: when a lease ends, and a claim then finds it",
    (sound) => ({
      ...sound,
      claim: async (request, rules) => {
        const result = await sound.claim(request, rules);
        return result.claims.length === 0 ? result : { ...result, nextDueAt: null };
      },
    }),
  ],
  [
    "lets leases last for ever",
    "claim after a lapse: a flight whose lease is over ends, and its delivery comes due",
    (sound) => claiming(sound, { leaseMs: 1e12 }),
  ],
  [
    "loses flights that began without a claim",
    "claim after a lapse: a delivery that started without a claim lapses too",
    (sound) => ({
      ...sound,
      route: (request, plan) => sound.route({ ...request, leaseMs: 1e12 }, plan),
    }),
  ],
  [
    "has lapsed deliveries due at once, whatever the rule says",
    "claim after a lapse: its lane knows when it is due",
    (sound) => ({
      ...sound,
      claim: (request, rules) =>
        sound.claim(request, {
          ...rules,
          lapse: (delivery, now, state) => ({
            ...rules.lapse(delivery, now, state),
            status: "waiting",
            dueAt: now,
          }),
        }),
    }),
  ],
  [
    "counts a lapse for each process that finds it",
    "claim after a lapse: processes that find it at the same time count it once",
    countsLapsesTogether,
  ],
  [
    "does not count lapses",
    "claim after a lapse: a delivery that always lapses is dead in the end",
    (sound) => ({
      ...sound,
      claim: (request, rules) =>
        sound.claim(request, {
          ...rules,
          lapse: (delivery, now, state) => ({
            ...rules.lapse(delivery, now, state),
            lapses: delivery.lapses,
          }),
        }),
    }),
  ],
  [
    "claims suspects among others",
    "claim of suspects: a suspect is taken only alone, and told of until then",
    (sound) => ({
      ...sound,
      claim: async (request, rules) => {
        const usual = await sound.claim(request, rules);
        const alone = await sound.claim({ ...request, alone: true }, rules);
        return { ...usual, claims: [...usual.claims, ...alone.claims] };
      },
    }),
  ],
  [
    "tells nobody of suspects",
    "claim of suspects: a suspect is taken only alone, and told of until then",
    (sound) => answering(sound, { suspects: false }),
  ],
  [
    "settles whatever flight is on",
    "settle late: a lapsed flight's attempt is kept, and changes nothing more",
    takesAnyToken,
  ],
  [
    "releases whatever flight is on",
    "release: the release of a flight that is over changes nothing",
    takesAnyToken,
  ],
  [
    "settles flights that have ended",
    "settle once: of a settlement and a lapse at the same time one ends the flight",
    settlesTooLate,
  ],
  [
    "settles deliveries that were canceled",
    "settle once: of a settlement and a cancellation at the same time one ends the delivery",
    settlesTooLate,
  ],
  [
    "takes a repeat for a stranger",
    "settle once: a repeat of an accepted settlement changes nothing",
    (sound) => ({
      ...sound,
      settle: async (settlements, apply) =>
        (await sound.settle(settlements, apply)).map((result) =>
          result === "repeated" ? "late" : result,
        ),
    }),
  ],
  [
    "drops late attempts",
    "settle late: a lapsed flight's attempt is kept, and changes nothing more",
    (sound) =>
      reading(sound, {
        attempts: async (reference) =>
          (await sound.history.attempts(reference)).filter(({ late }) => !late),
      }),
  ],
  [
    "counts late attempts",
    "settle late: a lapsed flight's attempt is kept, and changes nothing more",
    (sound) =>
      reading(sound, {
        attempts: async (reference) =>
          (await sound.history.attempts(reference)).map((attempt) => ({
            ...attempt,
            counted: true,
          })),
      }),
  ],
  [
    "lets one bad settlement spoil all",
    "settle: one settlement that cannot be recorded keeps no other from it",
    (sound) => ({
      ...sound,
      settle: async (settlements, apply) => {
        for (const settlement of settlements) {
          const id = settlement.deliveryId;
          const delivery = await sound.history.delivery({ organization: "acme", id });
          if (delivery)
            apply(settlement, { delivery, subscription: null, gates: [], order: "none" });
        }
        return sound.settle(settlements, apply);
      },
    }),
  ],
  [
    "keeps gates to the lane that settled",
    "settle with consequences: gates change for every lane that has them",
    (sound) => ({
      ...sound,
      settle: (settlements, apply) =>
        sound.settle(settlements, (settlement, state) => {
          const { gates: _, ...change } = apply(settlement, state);
          return change;
        }),
    }),
  ],
  [
    "settles by gates as they once were",
    "settle with consequences: settlements of two processes see each other's gates",
    settlesByOldGates,
  ],
  [
    "goes on with subscriptions that were switched off",
    "settle with consequences: a reason to disable switches the subscription off and parks its lane",
    (sound) => ({
      ...sound,
      settle: (settlements, apply) =>
        sound.settle(settlements, (settlement, state) => {
          const { subscription, ...change } = apply(settlement, state);
          return change;
        }),
    }),
  ],
  [
    "spends an attempt on a release",
    "release: the delivery waits again, and nothing of it is spent",
    (sound) => ({
      ...sound,
      release: async (flights, dueAt) => {
        const attempt = { startedAt: 0, durationMs: 0, outcome: "failed", reason: null } as const;
        await sound.settle(
          flights.map((flight) => ({
            ...(flight as Claim),
            plain: false,
            attempt: { ...flight, ...attempt, remedy: null, details: null, together: 1 },
          })),
          (_, { delivery }) => ({
            next: { status: "waiting", dueAt, attempts: delivery.attempts + 1 },
            counted: true,
          }),
        );
      },
    }),
  ],
  [
    "releases one flight of a delivery, and not the right one",
    "release: a flight is given back though an older one of its delivery comes with it",
    (sound) => ({
      ...sound,
      release: (flights, dueAt) =>
        sound.release(
          [...new Map(flights.map((flight) => [flight.deliveryId, flight])).values()],
          dueAt,
        ),
    }),
  ],
  [
    "has released deliveries due at once",
    "release: the lane knows when it is due",
    (sound) => ({ ...sound, release: (flights) => sound.release(flights, 0) }),
  ],
  [
    "counts one failure of many that settle together",
    "failing: each settlement of one call counts",
    (sound) => ({
      ...sound,
      settle: (settlements, apply) => {
        let first: SubscriptionRecord | null = null;
        return sound.settle(settlements, (settlement, state) => {
          first ??= state.subscription;
          return apply(settlement, { ...state, subscription: first });
        });
      },
    }),
  ],
  [
    "counts a failure again when it is told again",
    "failing: a repeated settlement counts once, and a late one not at all",
    (sound) => ({
      ...sound,
      settle: async (settlements, apply) => {
        const results = await sound.settle(settlements, apply);
        const [id = ""] = settlements.map(({ subscriptionId }) => subscriptionId);
        const failing = { since: 0, attempts: 2, warned: false };
        if (results.includes("repeated")) {
          await sound.subscriptions.report({ organization: "acme", id, version: 1 }, { failing });
        }
        return results;
      },
    }),
  ],
  [
    "forgets failures only when a subscription is saved",
    "failing: what is remembered of failures is kept, seen by the next claim, and forgotten when told",
    (sound) => ({
      ...sound,
      settle: (settlements, apply) =>
        sound.settle(settlements, (settlement, state) => {
          const change = apply(settlement, state);
          const { failing, ...others } = change.subscription ?? {};
          return failing === null ? { ...change, subscription: others } : change;
        }),
    }),
  ],
  [
    "tells nobody what a settlement switches off",
    "settle with an event: it is appended with what changes, and routed like any other",
    (sound) => ({
      ...sound,
      settle: (settlements, apply) =>
        sound.settle(settlements, (...given) => {
          const { event: _, ...change } = apply(...given);
          return change;
        }),
    }),
  ],
  [
    "tells what was settled once more when it hears of it again",
    "settle with an event: a repeated settlement appends it once, and a late one not at all",
    tellsAnyway,
  ],
  [
    "tells nothing more in a call in which a rule has thrown",
    "settle with an event: nothing is appended where the rule throws",
    (sound) => ({
      ...sound,
      settle: (settlements, apply) => {
        let isAfterThrow = false;
        return sound.settle(settlements, (...given) => {
          try {
            const { event: _, ...silent } = apply(...given);
            return isAfterThrow ? silent : apply(...given);
          } catch (error) {
            isAfterThrow = true;
            throw error;
          }
        });
      },
    }),
  ],
  [
    "tells of each settlement that would have switched off",
    "settle with an event: it is appended once for all that switch it off at the same time, in any process",
    (sound) => ({
      ...sound,
      settle: async (settlements, apply) => {
        const [first] = settlements;
        const before =
          first &&
          (await sound.subscriptions.get({ organization: "acme", id: first.subscriptionId }));
        return sound.settle(settlements, (settlement, state) =>
          apply(settlement, { ...state, subscription: before ?? null }),
        );
      },
    }),
  ],
  [
    "tells in another order than it settles",
    "settle with an event: events of one call are routed in the order of their settlements",
    (sound) => ({
      ...sound,
      settle: (settlements, apply) => sound.settle(settlements.toReversed(), apply),
    }),
  ],
  [
    "tells nobody what a lapse switches off",
    "lapse with an event: it is appended with what switches the subscription off, and routed like any other",
    (sound) =>
      lapsing(sound, (ask, ...given) => {
        const { event: _, ...ruling } = ask(...given);
        return ruling;
      }),
  ],
  [
    "shows every lapse the subscription as it was before the first",
    "lapse with an event: the rule sees the subscription, with what it has ruled of it before",
    (sound) => {
      const first = new Map<string, SubscriptionRecord | null>();
      return lapsing(sound, (ask, delivery, now, state) => {
        const { subscriptionId: id } = delivery;
        if (!first.has(id)) first.set(id, state.subscription);
        return ask(delivery, now, { ...state, subscription: first.get(id) ?? null });
      });
    },
  ],
  [
    "shows lapses a subscription that was deleted",
    "lapse with an event: the rule sees null instead of a subscription that was deleted",
    (sound) => {
      const records = new Map<string, SubscriptionRecord>();
      const create: Memory["subscriptions"]["create"] = (record, ...given) => {
        records.set(record.id, record);
        return sound.subscriptions.create(record, ...given);
      };
      const lapse = lapsing(sound, (ask, delivery, now, state) => {
        const subscription = records.get(delivery.subscriptionId) ?? null;
        return ask(delivery, now, { ...state, subscription });
      });
      return { ...lapse, subscriptions: { ...sound.subscriptions, create } };
    },
  ],
  [
    "ends lapses one by one, though a rule may throw",
    "lapse with an event: where the rule throws nothing lapses, and nothing is appended",
    (sound) => ({
      ...sound,
      claim: async (request, rules) => {
        let problem: unknown = null;
        const result = await sound.claim(request, {
          ...rules,
          lapse: (...given) => {
            try {
              return rules.lapse(...given);
            } catch (error) {
              problem = error;
              return { status: "waiting", dueAt: request.now };
            }
          },
        });
        if (problem !== null) throw problem;
        return result;
      },
    }),
  ],
  [
    "leaves lapses of what it cannot serve to others",
    "lapse with an event: it is appended by a claim that can take nothing",
    (sound) => ({
      ...sound,
      claim: async (request, rules) =>
        request.slots === 0
          ? { claims: [], lapsed: [], nextDueAt: null, suspects: false }
          : sound.claim(request, rules),
    }),
  ],
  [
    "keeps no order",
    "order: only the first of a queue waits, and the others are pending with nothing due",
    (sound) => redefining(sound, (lane) => ({ ...lane, order: "none" })),
  ],
  [
    "has one queue for all ordering keys",
    "order: each ordering key has a queue of its own, and what has none shares one",
    (sound) => planning(sound, (deliveries) => deliveries.map((each) => ({ ...each, queue: "" }))),
  ],
  [
    "queues the last event first",
    "order: routers at the same time do not bring events out of order",
    (sound) => planning(sound, (deliveries) => deliveries.toReversed()),
  ],
  [
    "tells the rule of settle of no order",
    "order: the rule of settle hears to which order a delivery keeps",
    (sound) => ({
      ...sound,
      settle: (settlements, apply) =>
        sound.settle(settlements, (settlement, state) =>
          apply(settlement, { ...state, order: "none" }),
        ),
    }),
  ],
  [
    "tells the rule of lapses of no order",
    "order: the rule of lapses hears it too, and may switch the subscription off",
    (sound) => ({
      ...sound,
      claim: (request, rules) =>
        sound.claim(request, {
          ...rules,
          lapse: (delivery, now, state) => rules.lapse(delivery, now, { ...state, order: "none" }),
        }),
    }),
  ],
  [
    "lets a head that is held die",
    "order: a first that is held waits while its subscription is off, and goes on with it",
    (sound) => ({
      ...sound,
      settle: (settlements, apply) =>
        sound.settle(settlements, (settlement, state) => {
          const change = apply(settlement, state);
          return change.subscription?.disabledReason === undefined
            ? change
            : { ...change, next: { status: "dead", reason: "held" } };
        }),
    }),
  ],
  [
    "updates any version",
    "subscriptions: an update of another version changes nothing",
    (sound) =>
      storing(sound, {
        update: async (record, lane, tx) => {
          const stored = await sound.subscriptions.get(record, tx);
          const version = (stored?.version ?? 0) + 1;
          return sound.subscriptions.update({ ...record, version }, lane, tx);
        },
      }),
  ],
  [
    "forgets a gate's state when a subscription is saved",
    "subscriptions: a gate that is known keeps its state, under the limit given last",
    (sound) =>
      redefining(sound, (lane) => ({
        ...lane,
        gates: lane.gates.map((gate) => ({ ...gate, id: anotherId() })),
      })),
  ],
  [
    "keeps deleted subscriptions in sight",
    "subscriptions: a deleted subscription is out of sight and owed nothing more",
    (sound) => storing(sound, { delete: async () => true }),
  ],
  [
    "shows foreign subscriptions",
    "subscriptions: a foreign subscription does not exist",
    (sound) =>
      storing(sound, {
        get: (reference) => sound.subscriptions.get({ ...reference, organization: "acme" }),
      }),
  ],
  [
    "shows foreign deliveries",
    "history: of another organization nothing exists",
    (sound) =>
      reading(sound, {
        delivery: (reference) => sound.history.delivery({ ...reference, organization: "acme" }),
      }),
  ],
  [
    "lists oldest first",
    "history: events come in pages, newest first",
    (sound) =>
      reading(sound, {
        events: async (request) => {
          const page = await sound.history.events(request);
          return { ...page, items: page.items.toReversed() };
        },
      }),
  ],
  [
    "filters no status",
    "history: a page of deliveries can be of a subscription, an event, a status",
    (sound) =>
      reading(sound, {
        deliveries: (request) => sound.history.deliveries({ ...request, status: undefined }),
      }),
  ],
  [
    "routes what is sent",
    "send: an event goes to one subscription, past all matching",
    (sound) => ({
      ...sound,
      send: async (event, delivery) => {
        await sound.append([{ ...event, idempotencyKey: null, announced: true }]);
        return sound.send(event, delivery);
      },
    }),
  ],
  [
    "sends again what was sent",
    "send: nothing is added if it is sent again",
    (sound) => ({
      ...sound,
      send: (event, delivery) => sound.send(event, { ...delivery, id: anotherId() }),
    }),
  ],
  [
    "repeats a redelivery",
    "redeliver: nothing is added if it is asked for again with the same id",
    (sound) => ({
      ...sound,
      redeliver: (request) => sound.redeliver({ ...request, newId: anotherId() }),
    }),
  ],
  [
    "cancels for strangers",
    "cancel: an unknown or foreign delivery is not found",
    (sound) => ({
      ...sound,
      cancel: (request) => sound.cancel({ ...request, organization: "acme" }),
    }),
  ],
  [
    "forgets how far a replay has come",
    "replay: what died is delivered again, once, and the replay is done",
    (sound) => replaying(sound, { get: async () => null }),
  ],
  [
    "replays to strangers",
    "replay: it belongs to its organization, and beginning it again changes nothing",
    (sound) =>
      replaying(sound, {
        cancel: ({ id }, now) => sound.replays.cancel({ organization: "acme", id }, now),
      }),
  ],
  [
    "replays without regard for what waits",
    "replay: a lane in which enough waits is left alone, and others are not",
    (sound) =>
      replaying(sound, { step: (request) => sound.replays.step({ ...request, max: 1_000 }) }),
  ],
  [
    "replays on after it was canceled",
    "replay: a canceled one makes nothing more",
    (sound) => replaying(sound, { cancel: async () => true }),
  ],
  [
    "cancels all without regard for when it was created",
    "cancelAll: only what was created in its time ends",
    (sound) => ({
      ...sound,
      cancelAll: (request) => sound.cancelAll({ ...request, from: 0, until: 1e15 }),
    }),
  ],
  [
    "sweeps without end",
    "sweep: it changes at most `max` rows, and fewer when it is done",
    (sound) => ({ ...sound, sweep: (request) => sound.sweep({ ...request, max: 1_000 }) }),
  ],
  [
    "leaves what is routed while its subscription is deleted",
    "sweep: what is routed while its subscription is deleted ends",
    routesByAnOldRoster,
  ],
  [
    "promises redeliveries that it does not make",
    "prune: an event that is delivered again at the same time stays, or is not delivered again",
    (sound) => ({ ...sound, redeliver: async () => "created" }),
  ],
  [
    "remembers idempotency keys for ever",
    "prune: an idempotency key is taken as long as its event is kept, and free then",
    sharesKeys,
  ],
  [
    "forgets young events",
    "prune: only events published before the instant go",
    (sound) => ({ ...sound, prune: ({ max }) => sound.prune({ before: 1e15, max }) }),
  ],
  [
    "believes whoever was there once",
    "beat: a dispatcher is at work until the instant it gave last, as every process sees",
    (sound) => ({
      ...sound,
      beat: (heartbeat) => sound.beat({ ...heartbeat, aliveUntil: heartbeat.aliveUntil + 1e9 }),
    }),
  ],
  [
    "keeps a dispatcher that ends",
    "beat: one that says that it ends is gone at once, and those that fell silent are forgotten",
    (sound) => ({
      ...sound,
      beat: async (heartbeat) => {
        if (heartbeat.aliveUntil > heartbeat.now) await sound.beat(heartbeat);
      },
    }),
  ],
  [
    "counts every gate that was ever closed",
    "backlog: it tells how many gates are paused, and how many are open",
    (sound) => ({ ...sound, backlog: () => sound.backlog(0) }),
  ],
  [
    "works on after it was closed",
    "close: closing twice is closing once, and nothing works afterwards",
    (sound) => ({ ...sound, close: async () => {} }),
  ],
];

/** Appends what a rule answers to a settlement, whether it is recorded or not. */
function tellsAnyway(sound: Memory): Memory {
  return {
    ...sound,
    settle: async (settlements, apply) => {
      const organization = "acme";
      for (const settlement of settlements) {
        const { deliveryId, subscriptionId } = settlement;
        const delivery = await sound.history.delivery({ organization, id: deliveryId });
        const subscription = await sound.subscriptions.get({ organization, id: subscriptionId });
        assert.ok(delivery);
        const { event } = apply(settlement, { delivery, subscription, gates: [], order: "none" });
        if (event !== undefined) await sound.append([event]);
      }
      return sound.settle(settlements, apply);
    },
  };
}

/** Changes what the rule of lapses is asked, or answers. */
function lapsing(
  sound: Memory,
  change: (
    ask: ClaimRules["lapse"],
    ...given: Parameters<ClaimRules["lapse"]>
  ) => ReturnType<ClaimRules["lapse"]>,
): Memory {
  return {
    ...sound,
    claim: (request, rules) =>
      sound.claim(request, { ...rules, lapse: (...given) => change(rules.lapse, ...given) }),
  };
}

describe("the storage contract can fail", () => {
  for (const [flaw, caughtBy, broken] of flaws) {
    it(`it catches a storage that ${flaw}`, async () => {
      const entry = storageContract.find(({ name }) => name === caughtBy);
      assert.ok(entry, `there is no case "${caughtBy}"`);
      await entry.run({ open: memoryStorage });
      await assert.rejects(entry.run({ open: () => broken(memoryStorage()) }));
    });
  }
});

describe("the storage contract", () => {
  it("names every case once", () => {
    const names = storageContract.map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)]);
  });

  it("skips nothing in silence", async () => {
    const entry = storageContract.find(({ needs }) => needs.includes("transaction"));
    await assert.rejects(
      async () => entry?.run({ open: memoryStorage }),
      /cannot run: the harness has no `transaction`/,
    );
    const reasons: string[] = [];
    const test = { skip: (reason: string) => reasons.push(reason) };
    await entry?.run({ open: memoryStorage }, test);
    assert.deepEqual(reasons, ["the harness has no `transaction`"]);
  });
});

describe("the cases that need more than memory has", () => {
  for (const entry of storageContract.filter(({ needs }) => needs.length > 0)) {
    const isClock = entry.needs.includes("clock");
    const clock = { clock: async () => Date.UTC(2026, 0) };
    it(entry.name, () => entry.run(withTransactions(isClock ? clock : {})));
  }

  const inTransaction = storageContract.filter(({ needs }) => needs.includes("transaction"));

  it("catch a storage whose transactions are visible before they commit", async () => {
    const harness = withTransactions({}, (sound) => ({
      ...sound,
      append: (events) => sound.append(events),
    }));
    assert.ok((await broken(harness)).includes("the event becomes visible when the host commits"));
  });

  it("catch a storage whose transactions forget what keys others have used", async () => {
    const harness = withTransactions({}, (sound) => ({
      ...sound,
      append: (events, tx) =>
        sound.append(
          tx === undefined ? events : events.map((event) => ({ ...event, idempotencyKey: null })),
          tx,
        ),
    }));
    assert.ok(
      (await broken(harness)).includes(
        "an idempotency key that was used since the transaction began adds nothing",
      ),
    );
  });

  it("catch a storage whose transactions keep everybody waiting", async () => {
    const { transaction, ...harness } = withTransactions();
    assert.ok(transaction);
    let open = 0;
    const ended = (end: (tx: unknown) => Promise<void>) => async (tx: unknown) => {
      open -= 1;
      await end(tx);
    };
    const caught = await broken({
      ...harness,
      open: async () => impatient(await harness.open(), () => open > 0),
      transaction: {
        begin: () => {
          open += 1;
          return transaction.begin();
        },
        commit: ended(transaction.commit),
        rollback: ended(transaction.rollback),
      },
    });
    for (const name of [
      "nobody else's publish waits for it, whatever it has published",
      "a lane that the host is changing keeps no other lane waiting",
      "nobody else's changes wait for it",
    ]) {
      assert.ok(caught.includes(name), name);
    }
  });

  it("catch a storage that commits what was rolled back", async () => {
    const harness = withTransactions();
    const { transaction } = harness;
    assert.ok(transaction);
    const rollback = transaction.commit;
    const caught = await broken({ ...harness, transaction: { ...transaction, rollback } });
    assert.ok(caught.includes("a rollback leaves nothing, not even the idempotency key"));
    assert.ok(caught.includes("a rollback undoes creation, change and deletion"));
  });

  async function broken(harness: StorageHarness): Promise<readonly string[]> {
    const names: string[] = [];
    for (const { name, run } of inTransaction) {
      await run(harness).catch(() => names.push(name.slice(name.indexOf(": ") + 2)));
    }
    return names;
  }
});

/** Memory with transactions, and a second handle; `change` breaks it. */
function withTransactions(
  more: Partial<Memory> = {},
  change: (sound: Memory) => Memory = (sound) => sound,
): StorageHarness {
  const begun = new WeakSet<object>();
  let last = transactional<object>(memoryStorage());
  const guarded = (tx: unknown): object =>
    begun.has(tx as object) ? (tx as object) : (null as never);
  return {
    open: () => {
      last = transactional<object>(memoryStorage());
      const { storage } = last;
      const { append, appendSync, subscriptions } = storage;
      const { get, create, update } = subscriptions;
      const known = (tx: unknown) => (tx === undefined ? undefined : guarded(tx));
      return change({
        ...storage,
        ...more,
        append: async (events, tx) => append(events, known(tx)),
        appendSync: (events, tx) => appendSync?.(events, guarded(tx)) ?? [],
        subscriptions: {
          ...subscriptions,
          get: (reference, tx) => get(reference, known(tx)),
          create: (record, lane, tx) => create(record, lane, known(tx)),
          update: (record, lane, tx) => update(record, lane, known(tx)),
          delete: (reference, now, tx) => subscriptions.delete(reference, now, known(tx)),
        },
        close: async () => {},
      });
    },
    reopen: () => last.storage as Memory,
    transaction: {
      begin: async () => {
        const tx = {};
        begun.add(tx);
        return tx;
      },
      commit: (tx) => last.commit(tx as object),
      rollback: async (tx) => last.rollback(tx as object),
    },
    concurrentWrites: true,
  };
}

let made = 0;

function anotherId(): string {
  made += 1;
  return `01ffffff-0000-7000-8000-${made.toString(16).padStart(12, "0")}`;
}

const reading = (sound: Memory, history: Partial<Memory["history"]>): Memory => ({
  ...sound,
  history: { ...sound.history, ...history },
});

const storing = (sound: Memory, subscriptions: Partial<Memory["subscriptions"]>): Memory => ({
  ...sound,
  subscriptions: { ...sound.subscriptions, ...subscriptions },
});

const redefining = (sound: Memory, change: (lane: LaneDefinition) => LaneDefinition): Memory =>
  storing(sound, {
    create: (record: SubscriptionRecord, lane, tx) =>
      sound.subscriptions.create(record, change(lane), tx),
    update: (record: SubscriptionRecord, lane, tx) =>
      sound.subscriptions.update(record, change(lane), tx),
  });

const claiming = (sound: Memory, change: object): Memory => ({
  ...sound,
  claim: (request, rules) => sound.claim({ ...request, ...change }, rules),
});

const answering = (sound: Memory, change: object): Memory => ({
  ...sound,
  claim: async (request, rules) => ({ ...(await sound.claim(request, rules)), ...change }),
});

const calling = (
  sound: Memory,
  change: (claims: readonly Claim[]) => readonly Claim[],
): Memory => ({
  ...sound,
  claim: async (request, rules) => {
    const result = await sound.claim(request, rules);
    return { ...result, claims: change(result.claims) };
  },
});

function releasesCalls(sound: Memory): Memory {
  const flown: Claim[] = [];
  return {
    ...calling(sound, (claims) => {
      flown.push(...claims);
      return claims;
    }),
    release: (flights, dueAt) => {
      const tokens = flights.map(({ token }) => token);
      return sound.release(
        flown.filter(({ token }) => tokens.includes(token)),
        dueAt,
      );
    },
  };
}

function marksAgain(sound: Memory): Memory {
  const seen = new Set<string>();
  let again: RouteInput["events"] = [];
  return {
    ...sound,
    append: async (events) => {
      const appended = await sound.append(events);
      again = appended
        .filter(({ event }) => seen.has(event.id))
        .map(({ event }) => ({ event, after: null }));
      for (const { id } of events) seen.add(id);
      return appended;
    },
    route: async (request, plan) => {
      const marked = again;
      again = [];
      const result = await sound.route(request, (input) =>
        plan({ ...input, events: [...input.events, ...marked] }),
      );
      return { ...result, events: result.events + marked.length };
    },
  };
}

const replaying = (sound: Memory, broken: Partial<Memory["replays"]>): Memory => ({
  ...sound,
  replays: { ...sound.replays, ...broken },
});

function sharesKeys(sound: Memory): Memory {
  const byKey = new Map<string, NewEvent>();
  return {
    ...sound,
    append: (events) =>
      sound.append(
        events.map((event) => {
          const key = event.idempotencyKey ?? event.id;
          byKey.set(key, byKey.get(key) ?? event);
          return byKey.get(key) ?? event;
        }),
      ),
  };
}

function handsOutItsOwn(sound: Memory): Memory {
  const own = new Map<string, unknown>();
  return reading(sound, {
    event: async (reference) => {
      const kept = own.get(reference.id) ?? structuredClone(await sound.history.event(reference));
      own.set(reference.id, kept);
      return kept as Awaited<ReturnType<Memory["history"]["event"]>>;
    },
  });
}

function claimsTwice(sound: Memory): Memory {
  let earlier: readonly Claim[] = [];
  return {
    ...sound,
    claim: async (request, rules) => {
      const result = await sound.claim(request, rules);
      const claims = [...result.claims, ...earlier].slice(0, request.slots);
      earlier = result.claims;
      return { ...result, claims };
    },
  };
}

/** Claims all it can, keeps what the busiest lanes gave, and gives back the rest. */
function servesBacklogs(sound: Memory): Memory {
  return {
    ...sound,
    claim: async (request, rules) => {
      const all = await sound.claim({ ...request, slots: 1_000, perLane: 1_000 }, rules);
      const waiting = Map.groupBy(all.claims, ({ subscriptionId }) => subscriptionId);
      const sorted = [...waiting.values()].sort((a, b) => b.length - a.length).flat();
      await sound.release(sorted.slice(request.slots), request.now);
      return { ...all, claims: sorted.slice(0, request.slots) };
    },
  };
}

function servesByAge(sound: Memory): Memory {
  return {
    ...sound,
    claim: async (request, rules) => {
      const all = await sound.claim({ ...request, slots: 1_000 }, rules);
      const sorted = all.claims.toSorted((a, b) => a.delivery.createdAt - b.delivery.createdAt);
      await sound.release(sorted.slice(request.slots), request.now);
      return { ...all, claims: sorted.slice(0, request.slots) };
    },
  };
}

function takesAnyToken(sound: Memory): Memory {
  const tokens = new Map<string, string>();
  return {
    ...sound,
    claim: async (request, rules) => {
      const result = await sound.claim(request, rules);
      for (const { deliveryId, token } of result.claims) tokens.set(deliveryId, token);
      return result;
    },
    settle: (settlements, apply) =>
      sound.settle(
        settlements.map((settlement) => ({
          ...settlement,
          token: tokens.get(settlement.deliveryId) ?? settlement.token,
        })),
        apply,
      ),
    release: (flights, dueAt) =>
      sound.release(
        flights.map((flight) => ({
          ...flight,
          token: tokens.get(flight.deliveryId) ?? flight.token,
        })),
        dueAt,
      ),
  };
}

/** What is routed meanwhile is owed to nobody. */
function strandsWhileClaiming(sound: Memory): Memory {
  let claiming = 0;
  return {
    ...sound,
    claim: async (request, rules) => {
      claiming += 1;
      const result = await sound.claim(request, rules);
      claiming -= 1;
      return result;
    },
    route: (request, plan) =>
      sound.route(request, (input) => ({
        ...plan(input),
        ...(claiming > 0 && { deliveries: [] }),
      })),
  };
}

function waitsForTheLast(sound: Memory): Memory {
  let last: number | null = null;
  return {
    ...sound,
    settle: (settlements, apply) =>
      sound.settle(settlements, (settlement, state) => {
        const change = apply(settlement, state);
        if (change.next.status === "waiting") last = change.next.dueAt;
        return change;
      }),
    claim: async (request, rules) => {
      const result = await sound.claim(request, rules);
      return { ...result, nextDueAt: last ?? result.nextDueAt };
    },
  };
}

function countsLapsesTogether(sound: Memory): Memory {
  let claiming = 0;
  return {
    ...sound,
    claim: async (request, rules) => {
      claiming += 1;
      await Promise.resolve();
      const found = claiming;
      const result = await sound.claim(request, {
        ...rules,
        lapse: (delivery, now, state) => ({
          ...rules.lapse(delivery, now, state),
          lapses: delivery.lapses + found,
        }),
      });
      claiming -= 1;
      return result;
    },
  };
}

/** Believes that whatever it is told of was still in flight. */
function settlesTooLate(sound: Memory): Memory {
  return {
    ...sound,
    settle: async (settlements, apply) => {
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
      await sound.settle(settlements, apply);
      return settlements.map(() => "settled");
    },
  };
}

/** Owes events to all who ever were there, and never sweeps. */
function routesByAnOldRoster(sound: Memory): Memory {
  const known = new Map<string, Candidate>();
  return {
    ...sound,
    sweep: async () => 0,
    route: (request, plan) =>
      sound.route(request, ({ candidates, ...input }) =>
        plan({
          ...input,
          candidates: (organization) => {
            for (const candidate of candidates(organization)) {
              known.set(candidate.subscription.id, candidate);
            }
            return [...known.values()];
          },
        }),
      ),
  };
}

function settlesByOldGates(sound: Memory): Memory {
  const first = new Map<string, GateState>();
  return {
    ...sound,
    settle: (settlements, apply) =>
      sound.settle(settlements, (settlement, state) =>
        apply(settlement, {
          ...state,
          gates: state.gates.map((gate) => {
            first.set(gate.id, first.get(gate.id) ?? gate);
            return first.get(gate.id) ?? gate;
          }),
        }),
      ),
  };
}

/** Gives up, as after a lock timeout, while somebody is in the way. */
function impatient(sound: Memory, isInTheWay: () => boolean): Memory {
  const unless = <Result>(tx: unknown, work: () => Promise<Result>): Promise<Result> =>
    tx === undefined && isInTheWay() ? Promise.reject(new Error("lock timeout")) : work();
  const { subscriptions } = sound;
  return {
    ...storing(sound, {
      create: (record, lane, tx) => unless(tx, () => subscriptions.create(record, lane, tx)),
    }),
    append: (events, tx) => unless(tx, () => sound.append(events, tx)),
    claim: (request, rules) => unless(undefined, () => sound.claim(request, rules)),
  };
}

/** Changes what the plan answers. */
function planning(
  sound: Memory,
  changed: (deliveries: readonly PlannedDelivery[]) => readonly PlannedDelivery[],
): Memory {
  return {
    ...sound,
    route: (request, plan) =>
      sound.route(request, (input) => {
        const planned = plan(input);
        return { ...planned, deliveries: changed(planned.deliveries) };
      }),
  };
}
