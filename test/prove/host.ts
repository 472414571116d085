import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type Claim, createEventBus, type Storage } from "@posthorn/core";
import { grounds } from "../ground/grounds.ts";
import { announce, hear } from "../processes/speak.ts";
import { clock } from "./clock.ts";
import { withMistake } from "./mistakes.ts";
import type { Taken, Throttle, Weight } from "./noted.ts";
import type { Answer, Order, Part } from "./part.ts";
import { catalog, postHandler } from "./post.ts";

// host.ts PART: a process of a host, which publishes and delivers as it is told. Writes down what it
// took when, how much memory it has, and its throttles.

/** How many publishes a blast has under way. */
const AT_ONCE = 8;
const WEIGHED_EVERY_MS = 2_000;

const part: Part = JSON.parse(process.argv[2] ?? "");
const { storage, close } = grounds[part.storage].openStorage(part.database);
const bus = createEventBus({
  catalog,
  storage: observed(withMistake(storage, part.bug)),
  handlers: [postHandler(part.receiver, part.name)],
  concurrency: part.concurrency,
  pollMs: 200,
});
bus.lifecycle.on("delivery.throttled", () => {
  write("throttles.jsonl", { at: clock(), by: part.name } satisfies Throttle);
});
bus.lifecycle.on("dispatcher.error", (report) => {
  process.stderr.write(`${part.name}: ${JSON.stringify(report)}\n`);
});

let blasting: Promise<number> | null = null;
let blastIsOver = false;
const obey: { readonly [Do in Order["do"]]: (order: Extract<Order, { do: Do }>) => unknown } = {
  start: () => {
    bus.start();
    answer({ done: "start" });
  },
  weigh: () => void weigh(),
  publish: async ({ events, everyMs }) => {
    const from = clock();
    const published: Promise<unknown>[] = [];
    for (const [index, { type, organization, label }] of events.entries()) {
      const early = from + index * everyMs - clock();
      if (early > 0) await setTimeout(early);
      published.push(bus.publish(type, { label, published: clock() }, { organization }));
    }
    await Promise.all(published);
    answer({ done: "publish" });
  },
  blast: (order) => {
    blasting = blast(order);
  },
  "end the blast": async () => {
    blastIsOver = true;
    answer({ done: "end the blast", published: (await blasting) ?? 0 });
  },
  finish: async () => {
    await bus.stop();
    await close();
    process.exit();
  },
};
hear((line) => {
  const order: Order = JSON.parse(line);
  void (obey[order.do] as (order: Order) => unknown)(order);
});
answer({ done: "ready" });

async function blast(order: Extract<Order, { do: "blast" }>): Promise<number> {
  const { organization, types, perSecond } = order;
  const from = clock();
  let count = 0;
  const publish = async (): Promise<void> => {
    while (!blastIsOver) {
      const label = `blast ${count}`;
      const type = types[count % types.length] as string;
      const early = from + (count * 1_000) / perSecond - clock();
      count += 1;
      if (early > 0) await setTimeout(early);
      await bus.publish(type, { label, published: clock() }, { organization });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, publish));
  return count;
}

async function weigh(): Promise<never> {
  for (;;) {
    const { rss } = process.memoryUsage();
    globalThis.gc?.();
    const { heapUsed } = process.memoryUsage();
    write("memory.jsonl", { at: clock(), by: part.name, rss, heap: heapUsed } satisfies Weight);
    await setTimeout(WEIGHED_EVERY_MS);
  }
}

function observed<Tx>(whole: Storage<Tx>): Storage<Tx> {
  const note = (at: number, claims: readonly Claim[]): void => {
    if (claims.length === 0) return;
    const lanes = claims.map(({ subscription }) => subscription.name);
    write("claims.jsonl", { at, until: clock(), by: part.name, lanes } satisfies Taken);
  };
  return {
    ...whole,
    claim: async (request, rules) => {
      const at = clock();
      const result = await whole.claim(request, rules);
      note(at, result.claims);
      return result;
    },
    route: async (request, plan) => {
      const at = clock();
      const result = await whole.route(request, plan);
      note(at, result.claims);
      return result;
    },
  };
}

function write(name: string, value: object): void {
  appendFileSync(join(part.folder, name), `${JSON.stringify(value)}\n`);
}

function answer(said: Answer): void {
  announce(JSON.stringify(said));
}
