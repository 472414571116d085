import { setTimeout } from "node:timers/promises";
import type { Site } from "../ground/ground.ts";
import type { Chance } from "./chance.ts";
import type { Child } from "./child.ts";
import { points } from "./life.ts";
import { LEASE_MS } from "./orders.ts";
import type { Stage } from "./stage.ts";

/** So long that what a stopped process holds is taken from it. */
const STOP_MS = LEASE_MS + 1_500;
/** How long others may wait for the locks of a stopped process: a server takes them after 5 s. */
const LOCKED_MS = 6_000;

type Card =
  | "kill dispatcher"
  | "kill dispatcher in a transaction"
  | "kill publisher"
  | "kill publisher at a point"
  | "stop dispatcher"
  | "stop dispatcher in a transaction"
  | "stop publisher in a transaction"
  | "cut"
  | "stop database";

/** What is done to a run with so many kills. */
function deck(kills: number, { cut }: Stage, { restart }: Site): readonly Card[] {
  const many = (count: number, card: Card): readonly Card[] => Array(Math.ceil(count)).fill(card);
  return [
    ...many(kills * 0.4, "kill dispatcher"),
    ...many(kills * 0.2, "kill dispatcher in a transaction"),
    ...many(kills * 0.1, "kill publisher"),
    ...many(kills * 0.3, "kill publisher at a point"),
    ...many(kills / 50, "stop dispatcher"),
    ...many(kills / 50, "stop dispatcher in a transaction"),
    ...many(kills / 50, "stop publisher in a transaction"),
    ...many(cut === null ? 0 : kills / 2, "cut"),
    ...many(restart === undefined ? 0 : kills / 25, "stop database"),
  ];
}

/** Plays the whole deck, in an order that chance gives. */
export async function playDeck(
  stage: Stage,
  site: Site,
  options: { readonly kills: number; readonly chance: Chance },
): Promise<void> {
  const { publisher, dispatchers, slots, cut, blame } = stage;
  const { pick, between, shuffled } = options.chance;
  const stopped = new Map<Child, Promise<void>>();
  let visits = 0;

  function continueLater(child: Child): void {
    const from = Date.now();
    const { name } = child;
    const over = setTimeout(STOP_MS).then(() => {
      child.signal("SIGCONT");
      stopped.delete(child);
      blame("stop", name, from);
      blame("stop", null, from, cut === null ? Date.now() : from + LOCKED_MS);
    });
    stopped.set(child, over);
  }
  async function dispatcher(): Promise<Child> {
    while (dispatchers.every((one) => stopped.has(one))) await Promise.race(stopped.values());
    const child = pick(dispatchers.filter((one) => !stopped.has(one)));
    await child.ready();
    return child;
  }
  async function runningPublisher(): Promise<Child> {
    await stopped.get(publisher);
    await publisher.ready();
    return publisher;
  }
  async function stop(child: Child): Promise<void> {
    await child.strike({ signal: "SIGSTOP", point: "before commit" });
    continueLater(child);
  }

  const play: Readonly<Record<Card, () => Promise<void>>> = {
    "kill dispatcher": async () => (await dispatcher()).kill(),
    "kill dispatcher in a transaction": async () =>
      (await dispatcher()).strike({ signal: "SIGKILL", point: "before commit" }),
    "kill publisher": async () => (await runningPublisher()).kill(),
    "kill publisher at a point": async () => {
      const point = points[visits % points.length] as (typeof points)[number];
      visits += 1;
      await (await runningPublisher()).strike({ signal: "SIGKILL", point });
    },
    "stop dispatcher": async () => {
      const child = await dispatcher();
      child.signal("SIGSTOP");
      continueLater(child);
    },
    "stop dispatcher in a transaction": async () => stop(await dispatcher()),
    "stop publisher in a transaction": async () => stop(await runningPublisher()),
    cut: async () => {
      const at = pick([between(1, 2_000), "before commit", "after commit"] as const);
      cut?.({ slot: pick(slots), at });
    },
    "stop database": async () => {
      const from = Date.now();
      await site.restart?.();
      blame("database stop", null, from);
    },
  };
  for (const card of shuffled(deck(options.kills, stage, site))) {
    await play[card]();
    await setTimeout(between(50, 500));
  }
  await Promise.all(stopped.values());
}
