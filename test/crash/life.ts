import { Worker } from "node:worker_threads";
import type { StorageName } from "../ground/grounds.ts";
import { announce } from "../processes/speak.ts";

/** What a child process is told at its start: the only argument, as JSON. */
export interface Part {
  /** Of this start of the process. */
  readonly name: string;
  readonly seed: number;
  readonly storage: StorageName;
  /** Of the database, through a proxy where there is one; a file's path for SQLite. */
  readonly database: string;
  readonly receiver: string;
  /** For what must outlive the process. */
  readonly folder: string;
  /** A bug to be played: the judge must find it. */
  readonly bug: Bug | null;
}

export const bugs = ["settle-is-lost", "sends-late", "publishes-anyway"] as const;
export type Bug = (typeof bugs)[number];

/** Where in its work a publisher can be struck; a dispatcher before a commit. */
export const points = [
  "before publish",
  "before commit",
  "during commit",
  "after commit",
  "during publish",
] as const;
export type Point = (typeof points)[number];

export interface Blow {
  readonly signal: "SIGKILL" | "SIGSTOP";
  readonly point: Point;
}

export const part = (): Part => JSON.parse(process.argv[2] ?? "");

/** Strikes this process. A process that is stopped cannot say so: the parent is told before. */
export function strike({ signal }: Blow): void {
  if (signal === "SIGSTOP") announce("stopped");
  process.kill(process.pid, signal);
}

/** Prepares to kill this process so many microseconds from a call, whatever it does by then. */
export function killer(): (microseconds: number) => void {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `const shared = require("node:worker_threads").workerData;
     Atomics.wait(shared, 0, 0);
     const until = performance.now() + shared[0] / 1000;
     while (performance.now() < until);
     process.kill(process.pid, "SIGKILL");`,
    { eval: true, workerData: shared },
  );
  worker.unref();
  return (microseconds) => {
    Atomics.store(shared, 0, Math.max(1, microseconds));
    Atomics.notify(shared, 0);
  };
}
