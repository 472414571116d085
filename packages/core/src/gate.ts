import { PosthornError } from "./errors.ts";

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
  /** Raised whenever the gate's regime changes; results claimed under an older one never move it. */
  readonly epoch: number;
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
});

/** A process may start a rate-limited delivery this long after its claim, not later. */
export const START_WITHIN_MS = 250;

const burstOf = (limit: RateLimit): number => limit.burst ?? 1;

/** Microseconds between two passes; rounded up, so that the limit is never exceeded. */
const spacing = (limit: RateLimit): number => Math.ceil((limit.perMs * 1_000) / limit.limit);

/**
 * The theoretical arrival time as of `nowUs`. It can never be further ahead than a full burst,
 * unless the clock went back: then it is brought back too, so that no lane stalls.
 */
const arrival = (gate: GateState, limit: RateLimit, nowUs: number): number =>
  Math.min(Math.max(gate.tat, nowUs), nowUs + burstOf(limit) * spacing(limit));

/**
 * How many of `wanted` may pass at `now` (epoch milliseconds).
 *
 * The Generic Cell Rate Algorithm (ITU-T I.371, Annex A, virtual scheduling), in integer
 * microseconds: with floats, `room` and `opensAt` would disagree.
 */
export function room(gate: GateState, now: number, wanted: number): number {
  if (gate.pausedUntil > now) return 0;
  if (gate.limit === null) return wanted;
  const nowUs = now * 1_000;
  const gap = spacing(gate.limit);
  const free = nowUs + burstOf(gate.limit) * gap - arrival(gate, gate.limit, nowUs);
  return Math.min(wanted, Math.floor(free / gap));
}

/**
 * The gate after `count` passed at `now`. Call it only with what `room` granted, and keep what it
 * answers also for 0: a clock that went back is made good there.
 */
export function pass(gate: GateState, now: number, count: number): GateState {
  if (gate.limit === null) return gate;
  const nowUs = now * 1_000;
  const arrived = arrival(gate, gate.limit, nowUs);
  const tat = count === 0 ? Math.min(gate.tat, arrived) : arrived + count * spacing(gate.limit);
  return tat === gate.tat ? gate : { ...gate, tat };
}

/** The first instant (epoch milliseconds, at least `now`) at which one more may pass. */
export function opensAt(gate: GateState, now: number): number {
  const resumed = Math.max(now, gate.pausedUntil);
  if (gate.limit === null) return resumed;
  const nowUs = now * 1_000;
  const gap = spacing(gate.limit);
  const freeUs = arrival(gate, gate.limit, nowUs) - (burstOf(gate.limit) - 1) * gap;
  return Math.max(resumed, Math.ceil(freeUs / 1_000));
}

/** The gate, closed to everyone until `until` (epoch milliseconds). Never opens it earlier. */
export const pause = (gate: GateState, until: number): GateState =>
  until > gate.pausedUntil ? { ...gate, pausedUntil: until } : gate;
