import { MAX_LAPSES, type Storage } from "@posthorn/core";
import type { Ground, Site } from "../ground/ground.ts";
import { read } from "../processes/read.ts";
import type { Arrival, Evidence, Order, Remembered, Subscribed } from "./evidence.ts";
import { ORGANIZATIONS, retry } from "./orders.ts";
import type { Stage } from "./stage.ts";

/** The receiver's slowest answer, and time to write down what came of it. */
const SETTLE_MS = 1_500;

/** Reads everything that is known after a run. */
export async function gather(run: {
  readonly ground: Ground;
  readonly site: Site;
  readonly storage: Storage;
  readonly folder: string;
  readonly subscriptions: readonly Subscribed[];
  readonly stage: Pick<Stage, "kills" | "faults">;
}): Promise<Evidence> {
  const { folder, subscriptions, stage } = run;
  return {
    kills: stage.kills,
    subscriptions,
    committed: [...(await stored(run.ground, run.site)), ...acknowledged(folder)],
    arrivals: read<Arrival>(folder, "arrivals.jsonl"),
    faults: stage.faults,
    deliveries: await remembered(run.storage),
    maxAttempts: retry.delaysMs.length + 1,
    maxLapses: MAX_LAPSES,
    settleMs: SETTLE_MS,
  };
}

/** What the host's own table says. */
async function stored(ground: Ground, { database }: Site): Promise<readonly Order[]> {
  const host = await ground.connectHost(database);
  const rows = (await host.say("select label, organization, type, at from orders")) as Order[];
  await host.end();
  return rows.map((row) => ({ ...row, at: Number(row.at) }));
}

/** What was published without a transaction. */
function acknowledged(folder: string): readonly Order[] {
  const labels = new Set(read<string>(folder, "acks.jsonl"));
  return read<Order>(folder, "intents.jsonl").filter(({ label }) => labels.has(label));
}

async function remembered({ history }: Storage): Promise<readonly Remembered[]> {
  const deliveries: Remembered[] = [];
  for (const organization of ORGANIZATIONS) {
    let after: string | undefined;
    for (let more = true; more; ) {
      const { items, older } = await history.deliveries({ organization, limit: 500, after });
      for (const delivery of items) {
        const attemptLog = await history.attempts({ organization, id: delivery.id });
        deliveries.push({ ...delivery, attemptLog });
      }
      after = items.at(-1)?.id;
      more = older;
    }
  }
  return deliveries;
}
