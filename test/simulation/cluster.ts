import { createEventBus, defineCatalog } from "@posthorn/core";
import { object, string } from "valibot";
import { chance } from "../crash/chance.ts";
import { met } from "./census.ts";
import { type Broken, createChecker } from "./checker/checker.ts";
import { explained } from "./checker/outcomes.ts";
import type { Terms } from "./checker/rule.ts";
import { createDatabase } from "./database.ts";
import { createHandlers, timeouts } from "./handlers.ts";
import { createHost, type Running } from "./host.ts";
import { begin, type Clocks, type Life, sleptMs } from "./life.ts";
import type { Entry } from "./log.ts";
import { createOperator } from "./operator.ts";
import {
  type Equipment,
  handlerTypes,
  type KeyId,
  type Plan,
  type Publish,
  type Strike,
} from "./plan.ts";
import { createReceiver } from "./receiver.ts";
import { createWeatherman, seedOf } from "./weatherman.ts";
import { createWires } from "./wires.ts";
import { createWorld, STARTS_AT } from "./world.ts";

const schema = object({ label: string() });
export const catalog = defineCatalog({
  order_paid: { description: "An order was paid.", schema },
  order_sent: { description: "An order was sent.", schema },
  user_made: { description: "A user was made.", schema },
});

/** What came of a run. */
export interface Outcome {
  readonly seed: number;
  readonly broken: (Broken & { readonly at: number }) | null;
  readonly log: readonly Entry[];
  /** The same for the same run. */
  readonly fingerprint: number;
  readonly figures: Figures;
  /** What it met on its way. */
  readonly met: readonly string[];
}

export interface Figures {
  readonly happenings: number;
  readonly events: number;
  readonly deliveries: number;
  readonly sends: number;
  readonly crashes: number;
  readonly lapses: number;
  readonly duplicates: number;
  /** How many duplicates are whose fault. */
  readonly faults: Readonly<Record<string, number>>;
}

interface Member {
  equipment: Equipment;
  readonly clocks: Clocks;
  lives: number;
  running: Running | null;
}

/** The host's last event is one of which nobody tells: it commits when nobody looks for it any more. */
const lastWord: Publish = {
  at: 0,
  fault: null,
  label: "the last event",
  process: 0,
  organization: "acme",
  type: "order_paid",
  orderingKey: null,
  idempotencyKey: "the last key",
  transaction: { openMs: 3_001, end: "commit" },
  poison: 0,
};

/** Nothing may take longer than this, once all is well. */
const PEACE_MS = 3 * 60 * 60 * 1_000;
/** Nor may more happen: something would be turning round and round. */
const MOST_HAPPENINGS = 400_000;
const REPAIR_EVERY_MS = 5_000;
const LONGEST_NAP_MS = 5_000;
const NAPS = 4;
/** How long no network is found at most: often so shortly that only the first call notices. */
const LONGEST_OFFLINE_MS = [8, 8, 3_000] as const;
const keys: Readonly<Record<KeyId, { readonly id: string; readonly key: Uint8Array }>> = {
  old: { id: "old", key: Uint8Array.from({ length: 32 }, (_, index) => index) },
  new: { id: "new", key: Uint8Array.from({ length: 32 }, (_, index) => 100 - index) },
};

const termsOf = ({ settings, rates, strikes }: Plan): Terms => {
  const { retry, autoDisable, perOrganization, concurrency } = settings;
  // Clocks may part by a second before time is measured anew, and an answer may be slow.
  const sleeps = strikes.some(({ fault }) => fault === "machine sleep");
  return {
    maxAttempts: retry.delaysMs.length + 1,
    delaysMs: retry.delaysMs.map((delayMs) => delayMs * (1 - retry.jitter)),
    longestDelayMs: Math.max(30_000, Math.max(...retry.delaysMs) * (1 + retry.jitter)),
    maxAgeMs: retry.maxAgeMs,
    autoDisable,
    timeouts,
    clockErrorMs: rates["slow storage"] > 0 ? 4_500 : sleeps ? 1_300 : 300,
    perOrganization: perOrganization === concurrency ? null : perOrganization,
    abandons: retry.unknown === "abandon",
  };
};

/** Plays a plan: chaos, then peace, until nothing is owed. */
export async function play(plan: Plan): Promise<Outcome> {
  const { seed, settings, chaosMs } = plan;
  const { together, ...options } = settings;
  const diceFor = (name: string) => chance(seedOf(seed, name));
  const world = createWorld(diceFor("world"));
  const weather = createWeatherman(plan, STARTS_AT);
  const checker = createChecker(termsOf(plan));
  const { ledger } = checker;
  const log: Entry[] = [];
  let brokenAt = 0;
  let fingerprint = seed | 0;
  let crashes = 0;

  function write(entry: Entry): void {
    log.push(entry);
    const isNew = checker.broken === null;
    checker.see(entry);
    if (isNew && checker.broken !== null) brokenAt = entry.at;
    fingerprint = seedOf(fingerprint, `${entry.at} ${entry.type} ${markOf(entry)}`);
  }

  const dice = diceFor("cluster");
  const network = diceFor("network");
  const database = createDatabase({
    world,
    chance: diceFor("database"),
    weather,
    write,
    kill,
    pause,
  });
  const receiver = createReceiver({ world, chance: diceFor("receiver"), weather, write });
  const wires = createWires({ world, chance: diceFor("wires"), weather });
  const operator = createOperator({ world, ledger, write });
  const poison = new Map(plan.publishes.map(({ label, poison: kills }) => [label, kills]));
  const members: readonly Member[] = plan.processes.map((equipment) => ({
    equipment,
    clocks: { skewMs: equipment.skewMs, asleep: { from: 0, until: 0 }, sleptMs: 0 },
    lives: 0,
    running: null,
  }));
  const host = createHost({
    world,
    database,
    write,
    kill,
    pause: (life) => pause(life, settings.leaseMs + 5_000),
    running: (process) => {
      const up = members.map(({ running }) => running).filter((one) => one !== null);
      return members[process]?.running ?? up[0] ?? null;
    },
  });
  let isPeace = false;

  function boot(process: number): void {
    const member = members[process] as Member;
    if (member.running !== null) return;
    const { equipment, clocks } = member;
    member.lives += 1;
    fallAsleep(clocks, 0);
    const name = `${"abcd"[process]}.${member.lives}`;
    const life = begin(world, { name, process, clocks, chance: diceFor(name) });
    const bus = createEventBus({
      ...options,
      catalog,
      storage: database.connect(life),
      transport: wires.connect(life),
      handlers: createHandlers(life, equipment.types, {
        together,
        world,
        chance: diceFor(`${name} handlers`),
        receiver,
        write,
        onSent: sent,
      }),
      encryptionKeys: equipment.keys.map((id) => keys[id]),
      system: life.system,
    });
    member.running = { life, bus };
    bus.start();
  }

  function strikePoison(life: Life, label: string): void {
    const left = poison.get(label) ?? 0;
    if (left === 0 || isPeace) return;
    poison.set(label, left - 1);
    kill(life);
  }

  /** The end of a life, and when the next one begins. */
  function bury(life: Life, downMs: number): void {
    life.alive = false;
    (members[life.process] as Member).running = null;
    world.at(downMs, () => boot(life.process));
  }

  function kill(life: Life, downMs: number = dice.between(100, 4_000)): void {
    if (!life.alive) return;
    crashes += 1;
    const { name } = life;
    write({ type: "struck", at: world.now, what: "kill", process: name, until: world.now });
    bury(life, downMs);
  }

  function pause(life: Life, ms: number): void {
    if (isPeace || !life.alive) return;
    life.pausedUntil = Math.max(life.pausedUntil, world.now + ms);
    const until = life.pausedUntil;
    write({ type: "struck", at: world.now, what: "pause", process: life.name, until });
  }

  /** The whole machine stands still: what the process takes for the time stands still with it. */
  function sleep(life: Life, ms: number): void {
    if (isPeace || !life.alive) return;
    pause(life, ms);
    fallAsleep((members[life.process] as Member).clocks, ms);
    if (network.next() < 0.75)
      life.offlineUntil = life.pausedUntil + network.between(1, network.pick(LONGEST_OFFLINE_MS));
  }

  /** For no time at all: wakes up. */
  function fallAsleep(clocks: Clocks, ms: number): void {
    clocks.sleptMs = sleptMs(clocks, world.now);
    clocks.asleep = { from: world.now, until: world.now + ms };
  }

  function sent(life: Life, label: string): void {
    strikePoison(life, label);
    const { running } = members[life.process] as Member;
    if (life.stopsOnceSent && running?.life === life) stop(running, 0, {});
    const { ms, left } = life.naps;
    if (left === 0 || life.pausedUntil > world.now) return;
    life.naps = { ms, left: left - 1 };
    sleep(life, ms);
  }

  function stop({ life, bus }: Running, deadlineMs: number, equipment: Partial<Equipment>): void {
    const member = members[life.process] as Member;
    const askedAt = world.now;
    const { name } = life;
    if (life.stopping) return;
    life.stopping = true;
    write({ type: "struck", at: askedAt, what: "stop", process: name, until: askedAt });
    void bus.stop({ deadlineMs }).then(() => {
      write({ type: "stopped", at: world.now, process: name, askedAt, deadlineMs });
      member.equipment = { ...member.equipment, ...equipment };
      bury(life, 500);
    });
  }

  function strike({ fault, process, ms, equipment }: Strike): void {
    const { running, clocks } = members[process] as Member;
    if (fault === "database restart") database.restart(ms);
    if (fault === "clock jump") clocks.skewMs += ms;
    if (running === null) return;
    const { life } = running;
    switch (fault) {
      case "kill":
        kill(life, ms);
        return;
      case "pause":
        pause(life, ms);
        return;
      case "machine sleep":
        // For a short time, while a handler waits for an answer.
        if (ms > LONGEST_NAP_MS) sleep(life, ms);
        else life.naps = { ms, left: NAPS };
        return;
      case "stop":
        if (ms > 0) stop(running, ms, {});
        else life.stopsOnceSent = true;
        return;
      case "keys":
      case "abilities":
        stop(running, 1_000, equipment);
    }
  }

  function heal(): void {
    isPeace = true;
    weather.clear();
    for (const [process, member] of members.entries()) {
      // A clock that is set back by as much as its machine has slept would hide the sleep from it.
      if (member.clocks.asleep.until <= world.now) member.clocks.skewMs = 0;
      fallAsleep(member.clocks, 0);
      const whole: Partial<Equipment> = { types: handlerTypes, keys: ["new", "old"] };
      const { types, keys: own } = member.equipment;
      const isWhole = types.length === handlerTypes.length && own.length === 2;
      const { running } = member;
      if (running === null) {
        member.equipment = { ...member.equipment, ...whole };
        boot(process);
      } else {
        running.life.pausedUntil = Math.min(running.life.pausedUntil, world.now);
        running.life.offlineUntil = 0;
        if (!isWhole) stop(running, 1_000, whole);
      }
    }
    repair();
    host.publish(lastWord);
  }

  /** What was switched off for failing is switched on again, until nothing is. */
  function repair(): void {
    const up = members.find(({ running }) => running !== null && !running.life.stopping);
    if (up?.running) operator.repair(up.running).catch(() => {});
    world.at(REPAIR_EVERY_MS, repair);
  }

  for (const [process, { skewMs }] of plan.processes.entries()) {
    world.at(dice.between(0, 500) + Math.abs(skewMs % 7), () => boot(process));
  }
  plan.subscriptions.forEach((wish, index) => {
    world.at(600 + index * 20, () => {
      const running = members.find((member) => member.running !== null)?.running;
      if (running) operator.subscribe(running, wish).catch(() => {});
    });
  });
  for (const publish of plan.publishes) {
    world.at(1_000 + publish.at, () => host.publish(publish));
  }
  for (const each of plan.strikes) {
    world.at(1_000 + each.at, () => {
      if (!isPeace) strike(each);
    });
  }
  for (const act of plan.acts) {
    world.at(1_000 + act.at, () => {
      const { running } = members[act.process] as Member;
      if (running) operator.act(running, act).catch(() => {});
    });
  }

  let unhandled: Broken | null = null;
  const note = (error: unknown): void => {
    unhandled = { rule: "no rejection is left to the host", laws: "F21", what: String(error) };
  };
  const isBroken = (): boolean =>
    checker.broken !== null || unhandled !== null || world.events > MOST_HAPPENINGS;
  process.on("unhandledRejection", note);
  try {
    await world.run(isBroken, STARTS_AT + chaosMs);
    heal();
    const isOver = (): boolean => isBroken() || (ledger.open === 0 && host.busy === 0);
    await world.run(isOver, world.now + PEACE_MS);
  } finally {
    process.off("unhandledRejection", note);
  }
  if (!isBroken()) {
    await database.recall();
    checker.end();
    brokenAt = world.now;
  }
  const broken: Broken | null =
    checker.broken ??
    unhandled ??
    (world.events > MOST_HAPPENINGS
      ? { rule: "every delivery ends", laws: "I1", what: `${world.events} things happened` }
      : null);
  return {
    seed,
    broken: broken && { ...broken, at: brokenAt },
    log,
    fingerprint: seedOf(fingerprint, `${world.now} ${world.events}`),
    figures: figuresOf(),
    met: met(log, ledger),
  };

  function figuresOf(): Figures {
    const found: Record<string, number> = {};
    let duplicates = 0;
    for (const { sends } of ledger.deliveries.values()) {
      for (const [index, send] of sends.entries()) {
        const again = sends[index + 1];
        if (again === undefined || send.takenAt === null) continue;
        duplicates += 1;
        const why = explained(send, again.at, ledger, { timeouts }) ?? "nobody's";
        found[why] = (found[why] ?? 0) + 1;
      }
    }
    return {
      happenings: world.events,
      events: ledger.events.size,
      deliveries: ledger.deliveries.size,
      sends: ledger.sends.size,
      crashes,
      lapses: [...ledger.deliveries.values()].reduce((sum, { lapses }) => sum + lapses, 0),
      duplicates,
      faults: found,
    };
  }
}

/** What tells one entry from another. */
const markOf = (entry: Entry): string => {
  switch (entry.type) {
    case "routed":
    case "claimed":
      return `${entry.process} ${entry.token} ${entry.claims.length}`;
    case "settled":
      return entry.flights.map(({ deliveryId, result }) => `${deliveryId} ${result}`).join(" ");
    case "sent":
      return `${entry.process} ${entry.deliveryId}`;
    case "stored":
      return entry.event.id;
    default:
      return "";
  }
};
