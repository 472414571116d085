import { setTimeout } from "node:timers/promises";
import { createEventBus, type Storage } from "@posthorn/core";
import type { Site } from "../ground/ground.ts";
import { grounds, type StorageName } from "../ground/grounds.ts";
import { chance } from "./chance.ts";
import { playDeck } from "./deck.ts";
import type { Evidence, Subscribed } from "./evidence.ts";
import { gather } from "./gather.ts";
import type { Bug } from "./life.ts";
import { catalog, handlers, ORGANIZATIONS } from "./orders.ts";
import { type Stage, setStage } from "./stage.ts";

/** After the last fault all must be done within this time. */
const HEAL_MS = 120_000;

export interface Play {
  readonly storage: StorageName;
  readonly site: Site;
  /** For logs. */
  readonly folder: string;
  /** About how many processes are killed. */
  readonly kills: number;
  readonly seed: number;
  /** A mistake that the judge must find. */
  readonly bug: Bug | null;
}

/** Lets events flow while processes are struck, heals all, and answers what there is to know. */
export async function chaos(play: Play): Promise<Evidence> {
  const { site, seed, kills } = play;
  const ground = grounds[play.storage];
  const { storage, close } = ground.openStorage(site.database);
  const host = await ground.connectHost(site.database);
  await storage.migrate();
  await host.say(
    "create table orders (label varchar(64) primary key, organization varchar(64), type varchar(64), at bigint)",
  );
  await host.end();
  const subscriptions = await subscribe(storage);
  const stage = await setStage(play);
  process.once("exit", stage.end);
  try {
    await playDeck(stage, site, { kills, chance: chance(seed) });
    await heal(stage, storage);
    return await gather({ ...play, ground, storage, subscriptions, stage });
  } finally {
    process.off("exit", stage.end);
    stage.end();
    await close();
  }
}

async function subscribe(storage: Storage): Promise<readonly Subscribed[]> {
  const bus = createEventBus({
    catalog,
    storage,
    handlers: handlers({ receiver: "", process: "", sendsLate: false }),
  });
  const lanes = [
    { eventTypes: ["*"], configuration: {} },
    { eventTypes: ["order_placed"], configuration: {} },
    { eventTypes: ["order_*"], configuration: { perSecond: 50 } },
  ] as const;
  const subscribed: Subscribed[] = [];
  for (const organization of ORGANIZATIONS) {
    for (const { eventTypes, configuration } of lanes) {
      const { id } = await bus.subscriptions.create({
        organization,
        name: eventTypes[0],
        eventTypes,
        type: "post",
        configuration,
      });
      subscribed.push({ id, organization, eventTypes });
    }
  }
  return subscribed;
}

/** Nobody is struck any more: everything that is owed must be done. */
async function heal({ publisher, dispatchers }: Stage, storage: Storage): Promise<void> {
  await publisher.finish();
  const deadline = Date.now() + HEAL_MS;
  while (Date.now() < deadline) {
    const { unrouted, inFlight, waiting, parked } = await storage.backlog(Date.now());
    if (unrouted + inFlight + parked + waiting.length === 0) break;
    await setTimeout(200);
  }
  await Promise.all(dispatchers.map((dispatcher) => dispatcher.finish()));
}
