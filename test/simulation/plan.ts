import type { AutoDisable, DeliveryOrder, RetryPolicy } from "@posthorn/core";
import { type Chance, chance } from "../crash/chance.ts";
import { seedOf } from "./weatherman.ts";

/** What can go wrong. Each is in about half of all plans, at a rate of the plan's own. */
export const faults = [
  "kill",
  "pause",
  "machine sleep",
  "clock skew",
  "clock jump",
  "lost request",
  "lost answer",
  "crash at storage",
  "stall at storage",
  "slow storage",
  "database restart",
  "wake-ups",
  "transactions",
  "repeated publish",
  "small batches",
  "down",
  "slow",
  "hang",
  "throttle",
  "late",
  "gone",
  "reject",
  "dying",
  "poison",
  "changes",
  "replays",
  "prune",
  "keys",
  "abilities",
  "stop",
] as const;

export type Fault = (typeof faults)[number];

/** Faults that may strike any call, or any message. */
export type Rated =
  | "lost request"
  | "lost answer"
  | "crash at storage"
  | "stall at storage"
  | "slow storage"
  | "wake-ups"
  | "small batches";

/** How a destination behaves for some time; otherwise it takes what it gets. */
type Weather = Extract<
  Fault,
  "down" | "slow" | "hang" | "throttle" | "late" | "gone" | "reject" | "dying"
>;

/** Everything that chance decides of a run beforehand, as data, so that less of it can be tried. */
export interface Plan {
  readonly seed: number;
  /** How long things go wrong. */
  readonly chaosMs: number;
  readonly settings: Settings;
  /** Per call, in [0, 1). */
  readonly rates: Readonly<Record<Rated, number>>;
  readonly processes: readonly Equipment[];
  readonly subscriptions: readonly Wish[];
  readonly publishes: readonly Publish[];
  readonly weather: readonly Spell[];
  readonly strikes: readonly Strike[];
  readonly acts: readonly Act[];
}

interface Settings {
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly concurrency: number;
  readonly perOrganization: number;
  readonly retry: RetryPolicy;
  /** How many deliveries a call may take; null where each goes alone. */
  readonly together: Readonly<Record<HandlerType, number | null>>;
  readonly retentionMs: number;
  readonly autoDisable: AutoDisable;
}

export const handlerTypes = ["post", "chat", "plain"] as const;
export type HandlerType = (typeof handlerTypes)[number];
export type KeyId = "old" | "new";

/** What a process starts with. */
export interface Equipment {
  readonly types: readonly HandlerType[];
  /** The first seals. */
  readonly keys: readonly KeyId[];
  readonly skewMs: number;
}

export interface Wish {
  readonly organization: string;
  readonly type: HandlerType;
  readonly destination: number;
  readonly eventTypes: readonly (
    | "*"
    | "order_*"
    | "order_paid"
    | "user_made"
    | "webhook_disabled"
  )[];
  readonly order: DeliveryOrder;
}

export interface Publish {
  readonly at: number;
  readonly fault: Fault | null;
  readonly label: string;
  readonly process: number;
  readonly organization: string;
  readonly type: "order_paid" | "order_sent" | "user_made";
  readonly orderingKey: string | null;
  /** The host repeats it, with this key, until it is acknowledged. */
  readonly idempotencyKey: string | null;
  /** In a transaction of the host's, which stays open for so long, and how that ends. */
  readonly transaction: {
    readonly openMs: number;
    readonly end: "commit" | "rollback" | "pause" | "kill";
  } | null;
  /** Kills so many processes that deliver it. */
  readonly poison: number;
}

export interface Spell {
  readonly fault: Weather;
  readonly destination: number;
  readonly from: number;
  readonly until: number;
  /** Of so many requests, in [0, 1]. */
  readonly share: number;
  /** How long it asks to wait, or takes. */
  readonly ms: number;
}

export interface Strike {
  readonly fault: Extract<
    Fault,
    | "kill"
    | "pause"
    | "machine sleep"
    | "clock jump"
    | "database restart"
    | "stop"
    | "keys"
    | "abilities"
  >;
  readonly at: number;
  readonly process: number;
  /** How long it takes, or by how much. */
  readonly ms: number;
  /** What the process starts with afterwards. */
  readonly equipment: Partial<Equipment>;
}

/** What people and their scripts do. */
export interface Act {
  readonly fault: "changes" | "replays" | "prune" | "keys";
  readonly at: number;
  readonly process: number;
  readonly what:
    | "create"
    | "switch off"
    | "switch on"
    | "reconfigure"
    | "reorder"
    | "delete"
    | "test"
    | "redeliver"
    | "replay"
    | "cancel"
    | "cancel all"
    | "forget"
    | "reseal";
  /** Which of those that there are. */
  readonly which: number;
  readonly wish: Wish;
}

const SECOND = 1_000;
const organizations = ["acme", "bolt", "core"];
const DESTINATIONS = 4;

/** The plan of a seed: the same seed, the same plan. */
export function drawPlan(seed: number): Plan {
  const dice = chance(Math.imul(seed, 2_654_435_761) ^ 0x9e3779b9);
  const { between, pick, next } = dice;
  const habits = chance(seedOf(seed, "habits"));
  const chaosMs = between(60, 120) * SECOND;
  const on = new Set(faults.filter(() => next() < 0.5));
  const processCount = between(2, 4);
  const some = <Item>(fault: Fault, most: number, draw: () => Item): readonly Item[] => {
    const items = Array.from({ length: between(1, most) }, draw);
    return on.has(fault) ? items : [];
  };
  const when = (): number => between(0, chaosMs);
  const process = (): number => between(0, processCount - 1);
  const rate = (fault: Rated, most: number): number => {
    const drawn = most * next() ** 2;
    return on.has(fault) ? drawn : 0;
  };
  const leaseMs = pick([11, 11, 15, 30]) * SECOND;
  const maxAgeMs = pick([45, 90, 300, 3_600]) * SECOND;
  const concurrency = pick([2, 3, 5, 10, 50]);
  const settings: Settings = {
    leaseMs,
    pollMs: pick([1_000, 1_000, 5_000, 20_000]),
    concurrency,
    perOrganization: Math.max(1, next() < 0.7 ? concurrency : concurrency - 1),
    retry: {
      delaysMs: pick([
        [1, 2, 4, 8, 16],
        [1, 5, 20],
        [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2],
      ]).map((seconds) => seconds * SECOND),
      jitter: pick([0, 0.2, 1]),
      maxAgeMs,
      unknown: habits.next() < 0.2 ? "abandon" : "retry",
    },
    together: {
      post: habits.pick([null, 2, 5, 20]),
      chat: habits.pick([null, 2, 5, 20]),
      plain: habits.pick([null, null, 3]),
    },
    retentionMs: maxAgeMs + pick([0, 0, 10, 600]) * SECOND,
    autoDisable: { attempts: pick([3, 6, 100]), ms: pick([0, 10, 30]) * SECOND },
  };
  const equipment = (): Equipment => ({
    types: handlerTypes,
    keys: on.has("keys") ? pick([["old"], ["old", "new"]] as const) : ["old", "new"],
    skewMs: on.has("clock skew") ? between(-600, 600) * SECOND : 0,
  });
  const serial = next();
  const wish = (): Wish => ({
    organization: pick(organizations),
    type: pick(handlerTypes),
    destination: between(0, DESTINATIONS - 1),
    eventTypes: pick([
      ["*"],
      ["order_*"],
      ["order_paid", "webhook_disabled"],
      ["user_made", "order_paid"],
    ] as const),
    order: next() < serial ? pick(["skip_dead", "stop_at_dead"] as const) : "none",
  });
  const lack = (): Partial<Equipment> => {
    const missing = pick(handlerTypes);
    return { types: handlerTypes.filter((type) => type !== missing) };
  };
  const pauseMs = (): number =>
    next() < 0.5 ? between(500, 5_000) : leaseMs + between(0, 30) * SECOND;

  return {
    seed,
    chaosMs,
    settings,
    rates: {
      "lost request": rate("lost request", 0.1),
      "lost answer": rate("lost answer", 0.1),
      "crash at storage": rate("crash at storage", 0.03),
      "stall at storage": rate("stall at storage", 0.03),
      "slow storage": rate("slow storage", 0.2),
      "wake-ups": rate("wake-ups", 1),
      "small batches": rate("small batches", 1),
    },
    processes: Array.from({ length: processCount }, equipment),
    subscriptions: Array.from({ length: between(3, 8) }, wish),
    publishes: drawPublishes(dice, { on, chaosMs, process }),
    weather: (
      ["down", "slow", "hang", "throttle", "late", "gone", "reject", "dying"] as const
    ).flatMap((fault) =>
      some(fault, fault === "gone" ? 1 : 3, (): Spell => {
        const from = when();
        return {
          fault,
          destination: between(0, DESTINATIONS - 1),
          from,
          until: from + between(1, fault === "gone" ? 10 : 60) * SECOND,
          share: pick([1, 1, 0.5, 0.2]),
          ms: between(1, fault === "throttle" ? 30 : 8) * SECOND,
        };
      }),
    ),
    strikes: [
      ...some("kill", 6, () => strike("kill", between(100, 20_000))),
      ...some("pause", 4, () => strike("pause", pauseMs())),
      ...some("machine sleep", 3, () => strike("machine sleep", pauseMs())),
      ...some("clock jump", 4, () =>
        strike("clock jump", pick([-1, 1]) * between(600, 3_600) * SECOND),
      ),
      ...some("database restart", 2, () => strike("database restart", between(100, 8_000))),
      ...some("stop", 4, () => strike("stop", pick([0, 100, 1_000, 10_000]))),
      ...some("abilities", 3, () => strike("abilities", 1_000, lack())),
      ...some("keys", 3, () =>
        strike("keys", 1_000, { keys: pick([["new", "old"], ["old", "new"], ["old"]] as const) }),
      ),
    ],
    acts: [
      ...some("changes", 14, () =>
        act(
          "changes",
          pick([
            "create",
            "switch off",
            "switch off",
            "switch on",
            "switch on",
            "reconfigure",
            "reconfigure",
            "reorder",
            "delete",
            "test",
          ]),
        ),
      ),
      ...some("replays", 8, () =>
        act("replays", pick(["redeliver", "redeliver", "replay", "cancel", "cancel all"])),
      ),
      ...some("prune", 5, () => act("prune", "forget")),
      ...some("keys", 2, () => act("keys", "reseal")),
    ],
  };

  function strike(fault: Strike["fault"], ms: number, equipment: Partial<Equipment> = {}): Strike {
    return { fault, at: when(), process: process(), ms, equipment };
  }

  function act(fault: Act["fault"], what: Act["what"]): Act {
    return {
      fault,
      what,
      at: when(),
      process: process(),
      which: between(0, 999),
      wish: wish(),
    };
  }
}

function drawPublishes(
  { between, pick, next }: Chance,
  {
    on,
    chaosMs,
    process,
  }: { readonly on: ReadonlySet<Fault>; readonly chaosMs: number; process(): number },
): readonly Publish[] {
  const bursts = Array.from({ length: between(0, 3) }, () => ({
    at: between(0, chaosMs),
    organization: pick(organizations),
  }));
  return Array.from({ length: between(15, 50) }, (_, index): Publish => {
    const burst = bursts.length > 0 && next() < 0.6 ? pick(bursts) : null;
    const { at, organization } = burst ?? {
      at: between(0, chaosMs),
      organization: pick(organizations),
    };
    const [inTransaction, repeats, kills] = [next(), next(), next()];
    const end = pick(["commit", "commit", "commit", "rollback", "pause", "kill"] as const);
    const openMs = between(0, 200) * pick([1, 1, 40]);
    const isPoison = on.has("poison") && kills < 0.04;
    const isRepeated = on.has("repeated publish") && repeats < 0.5;
    const isInTransaction = on.has("transactions") && inTransaction < 0.4;
    return {
      at,
      fault: isPoison
        ? "poison"
        : isInTransaction
          ? "transactions"
          : isRepeated
            ? "repeated publish"
            : null,
      label: `event ${index + 1}`,
      process: process(),
      organization,
      type: pick(["order_paid", "order_sent", "user_made"]),
      orderingKey: pick([null, "x", "y"]),
      idempotencyKey: isRepeated ? `key ${between(1, 40)} ${index}` : null,
      transaction: isInTransaction ? { openMs, end } : null,
      poison: isPoison ? pick([1, 2, 3, 9]) : 0,
    };
  }).toSorted((a, b) => a.at - b.at);
}

/** The plan without one kind of fault. */
export function without(plan: Plan, fault: Fault): Plan {
  const others = <Item extends { readonly fault: Fault | null }>(
    items: readonly Item[],
  ): readonly Item[] => items.filter((item) => item.fault !== fault);
  return {
    ...plan,
    rates: fault in plan.rates ? { ...plan.rates, [fault]: 0 } : plan.rates,
    processes:
      fault === "clock skew"
        ? plan.processes.map((one) => ({ ...one, skewMs: 0 }))
        : plan.processes,
    publishes: others(plan.publishes),
    weather: others(plan.weather),
    strikes: others(plan.strikes),
    acts: others(plan.acts),
  };
}

/** The plan up to an instant. */
export function upTo(plan: Plan, chaosMs: number): Plan {
  const early = <Item extends { readonly at: number }>(items: readonly Item[]): readonly Item[] =>
    items.filter(({ at }) => at <= chaosMs);
  return {
    ...plan,
    chaosMs,
    publishes: early(plan.publishes),
    weather: plan.weather.filter(({ from }) => from <= chaosMs),
    strikes: early(plan.strikes),
    acts: early(plan.acts),
  };
}

/** The kinds of faults that are in a plan. */
export function faultsIn(plan: Plan): readonly Fault[] {
  const { rates, processes, publishes, weather, strikes, acts } = plan;
  const found = new Set<Fault | null>(
    [...publishes, ...weather, ...strikes, ...acts].map(({ fault }) => fault),
  );
  for (const [fault, rate] of Object.entries(rates)) if (rate > 0) found.add(fault as Rated);
  if (processes.some(({ skewMs }) => skewMs !== 0)) found.add("clock skew");
  return faults.filter((fault) => found.has(fault));
}
