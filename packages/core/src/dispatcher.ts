import PQueue from "p-queue";
import type { Clock } from "./clock.ts";
import { ABORT_GRACE_MS, type Deliver } from "./deliver.ts";
import { type Claim, lapse } from "./delivery.ts";
import { PosthornError } from "./errors.ts";
import type { StoredEvent } from "./event.ts";
import { type Abilities, admit } from "./lane.ts";
import type { LifecycleEmitter } from "./lifecycle.ts";
import type { Logger } from "./logger.ts";
import { backoff } from "./persist.ts";
import { planDeliveries } from "./plan.ts";
import { describe } from "./redact.ts";
import type { Settle } from "./settle.ts";
import type { ClaimResult, FlightTerms, Storage } from "./storage.ts";
import type { System } from "./system.ts";

export interface DispatcherOptions {
  readonly storage: Storage<never>;
  readonly deliver: Deliver;
  readonly settle: Settle;
  readonly clock: Clock;
  readonly system: System;
  readonly lifecycle: LifecycleEmitter;
  readonly logger: Logger;
  readonly abilities: Abilities;
  /** How many deliveries this process has in flight at most. */
  readonly concurrency: number;
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

const MAX_EVENTS = 500;
const MAX_DELIVERIES = 5_000;
const HOUSEKEEPING_EVERY_MS = 60_000;
const HOUSEKEEPING_ROWS = 1_000;
/** How long `stop` waits, past its deadline, for aborted handlers and their settles. */
const LAST_SETTLE_MS = ABORT_GRACE_MS + 1_000;
/** After a publish in the host's transaction, whose commit nobody announces: when to look again. */
const COMMIT_LOOKS_MS = [5, 20, 80, 320] as const;

interface Turn {
  /** It moved something: another turn may find more. */
  readonly progressed: boolean;
  /** It could not look for due deliveries, for want of slots. */
  readonly starved: boolean;
  /** When there will be something to do; null if nothing waits. */
  readonly nextDueAt: number | null;
}

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { storage, deliver, settle, clock, system, lifecycle, logger, abilities } = options;
  const { concurrency, leaseMs, pollMs, stopping, giveUp, housekeeping, onRouted } = options;

  const queue = new PQueue({ concurrency });
  let state: Dispatcher["state"] = "idle";
  let loop: Promise<void> = Promise.resolve();
  let stopped: Promise<void> | null = null;
  let previousTurn: Promise<unknown> = Promise.resolve();
  /** A suspect is waiting to be delivered alone: nothing else starts until it was. */
  let quarantine = false;
  /** The last turn left something for want of slots: a landing is worth another. */
  let hungry = false;
  let tidyAt = 0;

  const looks = new Set<number>();
  let woken = false;
  let endSleep: (() => void) | null = null;

  const inFlight = (): number => queue.pending + queue.size;

  function wake(): void {
    woken = true;
    endSleep?.();
  }

  /** Makes sure that the loop does not sleep beyond `instant`. */
  function lookAt(instant: number): void {
    if (instant > clock.now() + pollMs) return;
    looks.add(Math.ceil(instant));
    endSleep?.();
  }

  async function sleep(until: number): Promise<void> {
    const left = (): number => Math.min(until, ...looks) - clock.now();
    while (!woken && left() > 0) {
      const sleeper = new AbortController();
      endSleep = () => sleeper.abort();
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
    perLane: Math.max(1, Math.ceil(concurrency / 2)),
  });

  /** One look at the storage. Turns of one process follow each other, so that slots are counted right. */
  function turn(): Promise<Turn> {
    const next = previousTurn.then(takeTurn, takeTurn);
    previousTurn = next;
    return next;
  }

  async function takeTurn(): Promise<Turn> {
    await clock.refresh();
    const routed = await storage.route(
      {
        ...terms(quarantine ? 0 : concurrency - inFlight()),
        maxEvents: MAX_EVENTS,
        maxDeliveries: MAX_DELIVERIES,
      },
      (input) => planDeliveries(input, system.id),
    );
    for (const event of routed.unannounced) onRouted(event);
    launch(routed.claims);

    const claimed = await claim();
    launch(claimed?.claims ?? []);
    for (const delivery of claimed?.lapsed ?? []) {
      lifecycle.emit("delivery.lapsed", { delivery, attempt: null });
      if (delivery.status === "dead") lifecycle.emit("delivery.dead", { delivery, attempt: null });
    }
    return {
      progressed: routed.events > 0 || (claimed !== null && claimed.claims.length > 0),
      starved: claimed === null,
      nextDueAt: claimed === null ? null : claimed.nextDueAt,
    };
  }

  /** Takes what is due; null if no slot is free for it. */
  async function claim(): Promise<ClaimResult | null> {
    const free = concurrency - inFlight();
    const alone = quarantine && inFlight() === 0;
    hungry = free === 0 || (quarantine && !alone);
    if (hungry) return null;
    const result = await storage.claim({ ...terms(free), alone }, { admit, lapse });
    quarantine = alone ? false : result.suspects;
    return quarantine && inFlight() + result.claims.length === 0 ? claim() : result;
  }

  function launch(claims: readonly Claim[]): void {
    for (const claimed of claims) {
      void queue
        .add(() => fly(claimed))
        .finally(() => {
          if (hungry) wake();
        });
    }
  }

  /** Resolves when something that is in flight has ended. */
  const landing = (): Promise<void> =>
    new Promise((resolve) => {
      queue.addEventListener("next", () => resolve(), { once: true });
    });

  async function fly(claimed: Claim): Promise<void> {
    if (state === "stopped") return giveBack(claimed, clock.now(), "the bus is stopping");
    const landing = await deliver(claimed, stopping.signal);
    if (landing.type === "not_started") return giveBack(claimed, landing.dueAt, landing.why);
    const dueAt = await settle(claimed, landing);
    if (dueAt !== null) lookAt(dueAt);
  }

  async function giveBack(claimed: Claim, dueAt: number, why: string): Promise<void> {
    logger.debug({ delivery: claimed.deliveryId, why }, "A delivery was given back.");
    try {
      await storage.release([claimed], dueAt);
      lookAt(dueAt);
    } catch (error) {
      lifecycle.emit("dispatcher.error", { step: "release", message: describe(error) });
    }
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (state === "running") {
      try {
        const { progressed, nextDueAt } = await turn();
        failures = 0;
        if (progressed) continue;
        await tidy();
        const poll = clock.now() + pollMs;
        await sleep(nextDueAt === null ? poll : Math.min(nextDueAt, poll));
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
    if (swept === max || pruned === max) tidyAt = now;
  }

  async function stop(deadlineMs: number): Promise<void> {
    state = "stopped";
    wake();
    const landed = new AbortController();
    const ended = loop
      .then(() => previousTurn.catch(() => {}))
      .then(() => queue.onIdle())
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
      return inFlight();
    },
    wake,
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
      for (;;) {
        if (state === "stopped") throw stoppedError("drain");
        const { progressed, starved, nextDueAt } = await turn();
        if (progressed) continue;
        if (inFlight() > 0) await landing();
        else if (!starved && (nextDueAt === null || nextDueAt > clock.now())) return { nextDueAt };
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
