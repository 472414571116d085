import PQueue from "p-queue";
import { callsOf } from "./batch.ts";
import type { Clock } from "./clock.ts";
import { ABORT_GRACE_MS, type Deliver } from "./deliver.ts";
import type { Call } from "./delivery.ts";
import { PosthornError } from "./errors.ts";
import type { StoredEvent } from "./event.ts";
import { createPulse } from "./heartbeat.ts";
import { type Abilities, admit } from "./lane.ts";
import type { Lapses } from "./lapses.ts";
import type { LifecycleEmitter } from "./lifecycle.ts";
import type { Logger } from "./logger.ts";
import { atPace, FIRST_PACE, paced } from "./pace.ts";
import { backoff, persist } from "./persist.ts";
import { createPlaces } from "./places.ts";
import { planDeliveries } from "./plan.ts";
import { describe } from "./redact.ts";
import { countFlights } from "./room.ts";
import type { Settle } from "./settle.ts";
import type { ClaimResult, FlightTerms, RouteResult, Storage, Unroutable } from "./storage.ts";
import type { System } from "./system.ts";

export interface DispatcherOptions {
  readonly storage: Storage<never>;
  readonly deliver: Deliver;
  readonly settle: Settle;
  readonly lapses: Lapses;
  readonly clock: Clock;
  readonly system: System;
  readonly lifecycle: LifecycleEmitter;
  readonly logger: Logger;
  readonly abilities: Abilities;
  /** How many calls this process has in flight at most. */
  readonly concurrency: number;
  /** How many of them may be of one organization. */
  readonly perOrganization: number;
  /** How many deliveries a call may take, by handler type. */
  readonly perCall: ReadonlyMap<string, number>;
  readonly leaseMs: number;
  /** How long it sleeps at most, whatever it believes. */
  readonly pollMs: number;
  /** Aborts when handlers must end: `deliver` listens to it too. */
  readonly stopping: AbortController;
  /** Aborts when retries of settles must end too. */
  readonly giveUp: AbortController;
  readonly housekeeping: { readonly retentionMs: number; readonly maxAgeMs: number };
  onRouted(event: StoredEvent): void;
}

/** The loop: route → claim → deliver → settle. */
export interface Dispatcher {
  /** Begins to deliver; beginning twice is beginning once. @throws PosthornError `bus_stopped` */
  start(): void;
  /** Looks now: something may be due. */
  wake(): void;
  /** A replay has begun: looks for it now. */
  expectReplay(): void;
  /** A host's transaction will commit soon, without telling: looks again a few times. */
  expectCommit(): void;
  /** Delivers what is due, and resolves when nothing is and nothing is in flight. */
  drain(): Promise<Drained>;
  /** Ends; see `EventBus.stop`. Stopping twice is stopping once. */
  stop(deadlineMs: number): Promise<void>;
  readonly state: "idle" | "running" | "stopped";
  /** Deliveries in flight in this process. */
  readonly inFlight: number;
}

/** How things stand after a drain. */
export interface Drained {
  /** When something will be due (epoch milliseconds); null if nothing waits for this process. */
  readonly nextDueAt: number | null;
}

/** What a route takes and makes at most, at full pace. */
const MOST_EVENTS = 500;
const MOST_DELIVERIES = 5_000;
/** When to look again at events that would have overtaken what another router is busy with. */
const LOOK_AGAIN_MS = 50;
const HOUSEKEEPING_EVERY_MS = 60_000;
const HOUSEKEEPING_ROWS = 1_000;
/** How many deliveries a step of a replay makes, and how many may wait in a lane that it feeds. */
const REPLAYED_AT_ONCE = 500;
/** When to look for replays that another process began, and for one whose lane was full. */
const REPLAYS_EVERY_MS = 60_000;
const RUNNING_REPLAY_EVERY_MS = 1_000;
/** How long `stop` waits, past its deadline, for aborted handlers and their settles. */
const LAST_SETTLE_MS = ABORT_GRACE_MS + 1_000;
/** After a publish in the host's transaction, whose commit nobody announces: when to look again. */
const COMMIT_LOOKS_MS = [5, 20, 80, 320] as const;
/** About three seconds of retries: what cannot be given back lapses. */
const RELEASE_TRIES = 7;
/** For how long what is due may keep events from being routed. */
const DUE_FIRST_MS = 10;
/** How long it rests where something is due that others hold. */
const HELD_FOR_MS = 20;

/** Nothing was routed; it is looked at again in a moment, or as soon as a place is free. */
const LATER: RouteResult = {
  claims: [],
  unannounced: [],
  unroutable: null,
  events: 0,
  left: 1,
  deliveries: 0,
};

interface Turn {
  /** It moved something: another turn may find more. */
  readonly progressed: boolean;
  /** It could not look for due deliveries, for want of slots. */
  readonly starved: boolean;
  /** Something is due, and could not be taken: others hold it, or our own flights fill its lane. */
  readonly held: boolean;
  /** It left events to be routed in a moment. */
  readonly left: boolean;
  /** When there will be something to do; null if nothing waits. */
  readonly nextDueAt: number | null;
}

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { storage, deliver, settle, lapses, clock, system, lifecycle, logger, abilities } = options;
  const {
    concurrency,
    perOrganization,
    perCall,
    leaseMs,
    pollMs,
    stopping,
    giveUp,
    housekeeping,
    onRouted,
  } = options;

  const queue = new PQueue({ concurrency });
  const flights = countFlights();
  const limits = { perLane: Math.max(1, Math.ceil(concurrency / 2)), perOrganization };
  const pulse = createPulse({ storage, clock, id: system.id(), pollMs });
  let state: Dispatcher["state"] = "idle";
  let loop: Promise<void> = Promise.resolve();
  let stopped: Promise<void> | null = null;
  let previousTurn: Promise<unknown> = Promise.resolve();
  /** A suspect is waiting to be delivered alone: nothing else starts until it was. */
  let quarantine = false;
  /** A suspect is on its way, alone: nothing else starts until it has landed. */
  let suspectFlies = false;
  /** The last turn left something for want of slots: a landing is worth another. */
  let hungry = false;
  let tidyAt = 0;
  let replayAt = 0;
  let pace = FIRST_PACE;

  const looks = new Set<number>();
  let woken = false;
  let endSleep: (() => void) | null = null;

  const places = createPlaces({ concurrency, clock, system });
  /** Drains that go on: they wait for no time to pass. */
  let drains = 0;
  /** In all calls. */
  let deliveries = 0;

  /** What was routed last filled the places, most of them, or waits only for what came before it. */
  let begins = true;
  /** How many deliveries an event owed then, on average. */
  let owed = 1;
  /** When something was routed last. */
  let routedAt = Number.NEGATIVE_INFINITY;
  /** Something is due that was not claimed, for want of places alone. */
  let isDue = false;
  /** What waits comes before what is to be routed, which took all places before it could. */
  let claimsFirst = false;

  function wake(): void {
    if (woken) return;
    woken = true;
    endSleep?.();
  }

  /** Makes sure that the loop does not sleep beyond `instant`. */
  function lookAt(instant: number): void {
    if (instant > clock.now() + pollMs) return;
    looks.add(Math.ceil(instant));
    endSleep?.();
  }

  /** A place is free that something waits for. One look for each would cost more than the rest. */
  function refill(): void {
    const instant = places.worthALookAt();
    if (instant === 0) wake();
    else lookAt(instant);
  }

  async function sleep(until: number): Promise<void> {
    const left = (): number => Math.min(until, ...looks) - clock.now();
    while (!woken && left() > 0) {
      const sleeper = new AbortController();
      // With a reason, or one is made, stack and all.
      endSleep = () => sleeper.abort("woken");
      await system.sleep(left(), sleeper.signal);
    }
    endSleep = null;
    woken = false;
    for (const instant of looks) if (instant <= clock.now()) looks.delete(instant);
  }

  const terms = (slots: number): FlightTerms => ({
    ...abilities,
    now: clock.now(),
    token: system.id(),
    leaseMs,
    slots,
    ...limits,
    inFlight: flights,
    perCall,
  });

  /** One look at the storage. Turns of one process follow each other, so that slots are counted right. */
  function turn(): Promise<Turn> {
    const next = previousTurn.then(takeTurn, takeTurn);
    previousTurn = next;
    return next;
  }

  async function takeTurn(): Promise<Turn> {
    await clock.refresh();
    places.beginTurn();
    suspectFlies &&= places.taken > 0;
    const first = claimsFirst ? await claim() : null;
    const routed = await route();
    const claimed = first ?? (await claim());
    claimsFirst = !claimsFirst && claimed === null && routed.claims.length > 0;
    const appended = lapses.report(claimed?.lapsed ?? []);
    const replayed = await replay();
    const again = routed.left > 0 ? clock.now() + LOOK_AGAIN_MS : Number.POSITIVE_INFINITY;
    const nextDueAt = Math.min(claimed?.nextDueAt ?? Number.POSITIVE_INFINITY, again);
    return {
      progressed:
        routed.events > 0 ||
        (claimed !== null && claimed.claims.length > 0) ||
        appended ||
        replayed,
      starved: claimed === null,
      held: claimed?.held ?? false,
      left: routed.left > 0,
      nextDueAt: nextDueAt === Number.POSITIVE_INFINITY ? null : nextDueAt,
    };
  }

  const freePlaces = (): number => (drains > 0 ? places.unused : places.free());

  async function route(): Promise<RouteResult> {
    const slots = quarantine || suspectFlies ? 0 : freePlaces();
    const maxEvents = mostEvents(slots);
    if (maxEvents === 0) {
      hungry = true;
      return LATER;
    }
    const maxDeliveries = atPace(pace, MOST_DELIVERIES);
    const began = system.mono();
    const routed = await storage.route({ ...terms(slots), maxEvents, maxDeliveries }, (input) =>
      planDeliveries(input, system.id),
    );
    routedAt = began;
    if (routed.events > 0) {
      const most = atPace(pace, MOST_EVENTS);
      const filled = Math.max(routed.events / most, routed.deliveries / maxDeliveries);
      pace = paced(pace, { tookMs: system.mono() - began, filled });
      owed = routed.deliveries / routed.events;
    }
    const could = Math.min(routed.deliveries, slots);
    if (could > 0) begins = isDue || 2 * routed.claims.length >= could;
    for (const event of routed.unannounced) onRouted(event);
    if (routed.unroutable !== null) reportUnroutable(routed.unroutable);
    launch(callsOf(routed.claims));
    return routed;
  }

  /**
   * How many events are routed now; 0 if none yet. While places become free, about as many as can
   * begin at once: what waits is written a second time when it begins.
   */
  function mostEvents(slots: number): number {
    const most = atPace(pace, MOST_EVENTS);
    if (!begins || perCall.size > 0 || (slots === 0 && places.isStill)) return most;
    if (slots === 0 || (isDue && system.mono() - routedAt < DUE_FIRST_MS)) return 0;
    return Math.min(most, Math.ceil(slots / owed));
  }

  /** Takes a replay one step further, if one runs. */
  async function replay(): Promise<boolean> {
    const now = clock.now();
    if (now < replayAt) return false;
    const { made, running, ended } = await storage.replays.step({
      now,
      max: REPLAYED_AT_ONCE,
      newId: system.id,
    });
    if (ended !== null) lifecycle.emit("replay.ended", ended);
    const isMore = made > 0 || ended !== null;
    replayAt = isMore ? now : now + (running ? RUNNING_REPLAY_EVERY_MS : REPLAYS_EVERY_MS);
    return isMore;
  }

  function reportUnroutable({ eventId, error }: Unroutable): void {
    lifecycle.emit("dispatcher.error", { step: "route", message: describe(error) });
    logger.error(
      { event: eventId, error: describe(error) },
      "An event could not be routed; it is tried again later.",
    );
  }

  /** Takes what is due; null if no slot is free for it, or the bus stops. */
  async function claim(): Promise<(ClaimResult & Pick<Turn, "held">) | null> {
    await clock.refresh();
    if (state === "stopped") return null;
    const free = freePlaces();
    const alone = quarantine && places.taken === 0;
    hungry = free === 0 || suspectFlies || (quarantine && !alone);
    if (free === 0 && places.unused > 0) refill();
    if (hungry) return null;
    hungry = flights.isFull(limits);
    const request = { ...terms(free), alone };
    const result = await storage.claim(request, { admit, lapse: lapses.rule });
    const { claims, nextDueAt } = result;
    const calls = callsOf(claims);
    isDue = nextDueAt !== null && nextDueAt <= request.now && calls.length >= free;
    quarantine = alone ? false : result.suspects;
    suspectFlies = alone && claims.length > 0;
    if (quarantine && places.taken + claims.length === 0) return claim();
    const held = claims.length === 0 && nextDueAt !== null && nextDueAt <= request.now;
    launch(calls);
    return { ...result, held };
  }

  function launch(calls: readonly Call[]): void {
    for (const call of calls) {
      places.take();
      deliveries += call.length;
      void fly(call).finally(() => {
        deliveries -= call.length;
        places.leave();
        if (hungry) refill();
      });
    }
  }

  async function allLanded(): Promise<void> {
    while (places.taken > 0) await places.left();
  }

  /** Its place is free for another as soon as its handler has answered. */
  async function fly(call: Call): Promise<void> {
    const [{ subscriptionId, event }] = call;
    const place = { subscriptionId, organization: event.organization };
    // Whoever has least under way goes first: what was claimed ahead holds up nobody else's.
    const priority = -(flights.byOrganization.get(event.organization) ?? 0);
    flights.begin(place);
    const landing = await queue
      .add(async () => (state === "stopped" ? null : deliver(call, stopping.signal)), { priority })
      .finally(() => flights.end(place));
    if (landing === null) return giveBack(call, clock.now(), "the bus is stopping");
    if (landing.type === "not_started") return giveBack(call, landing.dueAt, landing.why);
    const dueAt = await settle(call, landing);
    if (dueAt !== null) lookAt(dueAt);
  }

  async function giveBack(call: Call, dueAt: number, why: string): Promise<void> {
    for (const { deliveryId: delivery } of call) {
      logger.debug({ delivery, why }, "A delivery was given back.");
    }
    const onFailure = (thrown: unknown): void =>
      lifecycle.emit("dispatcher.error", { step: "release", message: describe(thrown) });
    try {
      const release = () => storage.release(call, dueAt);
      await persist(release, { system, tries: RELEASE_TRIES, signal: giveUp.signal, onFailure });
      lookAt(dueAt);
    } catch (error) {
      onFailure(error);
    }
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (state === "running") {
      try {
        await pulse.beat();
        const { progressed, held, nextDueAt } = await turn();
        failures = 0;
        if (progressed) continue;
        await tidy();
        const now = clock.now();
        const poll = now + pollMs;
        // What is held by our own flights is there when one lands, which wakes us.
        const heldUntil = hungry ? poll : now + HELD_FOR_MS;
        await sleep(Math.min(held ? heldUntil : (nextDueAt ?? poll), poll));
      } catch (error) {
        failures += 1;
        lifecycle.emit("dispatcher.error", { step: "turn", message: describe(error) });
        logger.error({ error: describe(error), failures }, "The storage failed; trying again.");
        await sleep(clock.now() + backoff(failures, system.random()));
      }
    }
  }

  async function tidy(): Promise<void> {
    const now = clock.now();
    if (now < tidyAt) return;
    tidyAt = now + HOUSEKEEPING_EVERY_MS;
    const max = HOUSEKEEPING_ROWS;
    const swept = await storage.sweep({ now, expireBefore: now - housekeeping.maxAgeMs, max });
    const pruned = await storage.prune({ before: now - housekeeping.retentionMs, max });
    if (swept === max || pruned > 0) tidyAt = now;
  }

  async function drain(): Promise<Drained> {
    for (;;) {
      if (state === "stopped") throw stoppedError("drain");
      const before = places.ended;
      const { progressed, starved, held, left, nextDueAt } = await turn();
      if (progressed || places.ended > before) continue;
      if (places.taken > 0) await places.left();
      else if (left) await system.sleep(LOOK_AGAIN_MS);
      else if (!starved && (nextDueAt === null || nextDueAt > clock.now())) return { nextDueAt };
      else if (held) await system.sleep(HELD_FOR_MS);
    }
  }

  async function stop(deadlineMs: number): Promise<void> {
    state = "stopped";
    wake();
    const landed = new AbortController();
    const ended = loop
      .then(() => previousTurn.catch(() => {}))
      .then(() => Promise.all([allLanded(), pulse.end()]))
      .then(() => landed.abort());
    await Promise.race([ended, system.sleep(deadlineMs, landed.signal)]);
    stopping.abort();
    giveUp.abort();
    await Promise.race([ended, system.sleep(LAST_SETTLE_MS, landed.signal)]);
  }

  return {
    get state() {
      return state;
    },
    get inFlight() {
      return deliveries;
    },
    wake,
    expectReplay: () => {
      replayAt = 0;
      wake();
    },
    expectCommit: () => {
      const now = clock.now();
      for (const ms of COMMIT_LOOKS_MS) lookAt(now + ms);
    },
    start: () => {
      if (state === "stopped") throw stoppedError("start");
      if (state === "running") return;
      state = "running";
      loop = run();
    },
    drain: async () => {
      drains += 1;
      try {
        return await drain();
      } finally {
        drains -= 1;
      }
    },
    stop: (deadlineMs) => {
      stopped ??= stop(deadlineMs);
      return stopped;
    },
  };
}

const stoppedError = (verb: string): PosthornError =>
  new PosthornError(
    "bus_stopped",
    `This bus was stopped and cannot ${verb} again. Create a new one with createEventBus().`,
  );
