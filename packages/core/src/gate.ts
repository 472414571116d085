import {
  admitted,
  asksAgainAt,
  type BreakerState,
  judged,
  probed,
  type Verdict,
} from "./breaker.ts";
import { PosthornError } from "./errors.ts";
import { pauseMs } from "./throttle.ts";

/** At most `limit` per `perMs`, evenly spaced, with up to `burst` back to back. */
export interface RateLimit {
  /** How many, at least 1. */
  readonly limit: number;
  /** In how many milliseconds, at least 1. */
  readonly perMs: number;
  /** How many may go at once after a rest. Default 1. */
  readonly burst?: number | undefined;
}

/**
 * A limit that lanes share, as a handler names it from a configuration: a channel, a workspace,
 * a token, a host.
 */
export interface Gate extends Partial<RateLimit> {
  /** Which of the handler's gates it is; outcomes refer to it (`throttled({ gate })`). */
  readonly name: string;
  /** What the gate stands for. May contain secrets: only a keyed hash of it is ever stored. */
  readonly key: string;
}

/** A gate as storage knows it. */
export interface GateDefinition {
  /** Keyed hash of organization, handler type, name and key. */
  readonly id: string;
  readonly name: string;
  readonly limit: RateLimit | null;
}

/** A gate with its state; shared by all processes, because it is a row. */
export interface GateState extends GateDefinition {
  /** GCRA's theoretical arrival time, in integer epoch microseconds. */
  readonly tat: number;
  /** Nothing goes before this instant (epoch milliseconds): a 429, a Retry-After. */
  readonly pausedUntil: number;
  /** Raised when it opens and when it closes; results claimed under an older one never move it. */
  readonly epoch: number;
  /** How often in a row destinations behind it have asked to wait. */
  readonly throttles: number;
  /** What it remembers of failures; null if nothing. */
  readonly breaker: BreakerState | null;
}

/**
 * The limit that a handler gave a gate, or null if it gave none.
 *
 * @throws PosthornError `invalid_options`, naming handler, gate and field, for a limit that is not
 * whole numbers of at least 1, or only half of one.
 */
export function limitOf(gate: Gate, handlerType: string): RateLimit | null {
  const { name, key, limit, perMs, burst } = gate;
  const invalid = (message: string): PosthornError =>
    new PosthornError(
      "invalid_options",
      `Handler "${handlerType}" answers a gate ${JSON.stringify(name)} ${message}.`,
    );
  if (typeof name !== "string" || name === "") throw invalid("without a name");
  if (typeof key !== "string") throw invalid("whose key is not a string");
  if (limit === undefined && perMs === undefined && burst === undefined) return null;
  if (limit === undefined || perMs === undefined) {
    throw invalid("with half a limit. Give both `limit` and `perMs`, or neither");
  }
  for (const [field, value] of Object.entries({ limit, perMs, burst: burst ?? 1 })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw invalid(`whose ${field} is ${String(value)}. Use a whole number of at least 1`);
  }
  return { limit, perMs, burst };
}

/** A gate that nothing has passed yet. */
export const freshGate = (definition: GateDefinition): GateState => ({
  ...definition,
  tat: 0,
  pausedUntil: 0,
  epoch: 0,
  throttles: 0,
  breaker: null,
});

/** A process may start a rate-limited delivery this long after its claim, not later. */
export const START_WITHIN_MS = 250;

const burstOf = (limit: RateLimit): number => limit.burst ?? 1;

/** Microseconds between two passes; rounded up, so that the limit is never exceeded. */
const spacing = (limit: RateLimit): number => Math.ceil((limit.perMs * 1_000) / limit.limit);

/** A process may be so far behind others: it stood still with a request in its hands. */
const MOST_BEHIND_MS = 60_000;

/**
 * The theoretical arrival time as of `nowUs`. It is never further ahead than a full burst and what
 * the asking process may be behind, unless the clock went back: then it is brought back too, so that
 * no lane stalls for long.
 */
function arrival({ tat }: GateState, limit: RateLimit, nowUs: number): number {
  const farthest = nowUs + burstOf(limit) * spacing(limit);
  return tat > farthest + MOST_BEHIND_MS * 1_000 ? farthest : Math.max(tat, nowUs);
}

/**
 * How many of `wanted` may pass at `now` (epoch milliseconds).
 *
 * The Generic Cell Rate Algorithm (ITU-T I.371, Annex A, virtual scheduling), in integer
 * microseconds: with floats, `room` and `opensAt` would disagree.
 */
export function room(gate: GateState, now: number, wanted: number): number {
  if (gate.pausedUntil > now) return 0;
  const most = admitted(gate.breaker, now, wanted);
  if (gate.limit === null) return most;
  const nowUs = now * 1_000;
  const gap = spacing(gate.limit);
  const free = nowUs + burstOf(gate.limit) * gap - arrival(gate, gate.limit, nowUs);
  return Math.min(most, Math.max(0, Math.floor(free / gap)));
}

/**
 * The gate after `count` passed at `now`. Call it only with what `room` granted, and keep what it
 * answers also for 0: a clock that went back is made good there.
 */
export function pass(gate: GateState, now: number, count: number): GateState {
  const tat = gate.limit === null ? gate.tat : tatAfter(gate, gate.limit, now * 1_000, count);
  const breaker = probed(gate.breaker, now, count);
  return tat === gate.tat && breaker === gate.breaker ? gate : { ...gate, tat, breaker };
}

function tatAfter(gate: GateState, limit: RateLimit, nowUs: number, count: number): number {
  const arrived = arrival(gate, limit, nowUs);
  return count === 0 ? Math.min(gate.tat, arrived) : arrived + count * spacing(limit);
}

/** Does a pass change it? Then it must not be passed without its lock. */
export const countsPasses = ({ limit, breaker }: GateState): boolean =>
  limit !== null || breaker?.state === "open";

/**
 * The first instant (epoch milliseconds, at least `now`) at which one more may pass, as far as can
 * be told: what is out through an open gate may come back later, or sooner.
 */
export function opensAt(gate: GateState, now: number): number {
  const resumed = Math.max(asksAgainAt(gate.breaker, now), gate.pausedUntil);
  if (gate.limit === null) return resumed;
  const nowUs = now * 1_000;
  const gap = spacing(gate.limit);
  const freeUs = arrival(gate, gate.limit, nowUs) - (burstOf(gate.limit) - 1) * gap;
  return Math.max(resumed, Math.ceil(freeUs / 1_000));
}

/** The gate, closed to everyone until `until` (epoch milliseconds). Never opens it earlier. */
export const pause = (gate: GateState, until: number): GateState =>
  until > gate.pausedUntil ? { ...gate, pausedUntil: until } : gate;

/** A gate as a claim remembers it. */
export interface PassedGate {
  readonly id: string;
  readonly name: string;
  readonly epoch: number;
  /** It had nothing to learn from a success. */
  readonly calm: boolean;
}

export const passed = (gate: GateState): PassedGate => {
  const { id, name, epoch } = gate;
  return { id, name, epoch, calm: isCalm(gate) };
};

/** What an attempt has to tell a gate that it passed. */
export interface Report {
  readonly verdict: Verdict;
  /** The gate's epoch when the attempt was claimed. */
  readonly epoch: number;
  /** When the attempt began (epoch milliseconds). */
  readonly startedAt: number;
}

/** Has it nothing to learn from a success? Then successes need not touch it. */
export const isCalm = ({ breaker, throttles }: GateState): boolean =>
  breaker === null && throttles === 0;

/** The gate after an attempt that passed it; `random` is in [0, 1). */
export function heard(gate: GateState, report: Report, now: number, random: number): GateState {
  const { verdict, epoch, startedAt } = report;
  const isAnswer = verdict === "success" && startedAt >= gate.pausedUntil;
  const throttles = isAnswer ? 0 : gate.throttles;
  const breaker = epoch === gate.epoch ? judged(gate.breaker, verdict, now, random) : gate.breaker;
  if (throttles === gate.throttles && breaker === gate.breaker) return gate;
  const isOther = regimeOf(breaker) !== regimeOf(gate.breaker);
  return { ...gate, throttles, breaker, epoch: isOther ? gate.epoch + 1 : gate.epoch };
}

/** Which opening it is; null while it is closed. */
const regimeOf = (breaker: BreakerState | null): number | null =>
  breaker?.state === "open" ? breaker.times : null;

/**
 * The gate after a destination behind it asked to wait for `askedMs`: closed until `until` at
 * least, and the longer the more often it was asked. An attempt that was on its way when the pause
 * began asks for no longer one.
 */
export function throttle(
  gate: GateState,
  asked: { readonly askedMs: number; readonly until: number; readonly startedAt: number },
  now: number,
): GateState {
  if (asked.startedAt < gate.pausedUntil) return pause(gate, asked.until);
  const throttles = gate.throttles + 1;
  const until = Math.ceil(now + pauseMs(asked.askedMs, throttles));
  return { ...pause(gate, Math.max(asked.until, until)), throttles };
}
