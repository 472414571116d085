import type { ChildProcess } from "node:child_process";
import { hearFrom, start } from "../processes/start.ts";
import type { Blow } from "./life.ts";

/** A process that is started again when it is killed, until it has finished. */
export interface Child {
  /** Of its present start: each has its own. */
  readonly name: string;
  /** Resolves when it is at work, which it is some time after each start. */
  ready(): Promise<void>;
  signal(signal: "SIGSTOP" | "SIGCONT"): void;
  /** Resolves when it is dead, and another has begun. */
  kill(): Promise<void>;
  /** Tells it to strike itself, and resolves when it has. */
  strike(blow: Blow): Promise<void>;
  /** Tells it to finish, and resolves when it has. */
  finish(): Promise<void>;
  /** Ends it for good, at once. */
  end(): void;
}

export function keepAlive(options: {
  readonly slot: string;
  /** Its path. */
  readonly script: string;
  readonly folder: string;
  /** The argument of the process of this name. */
  argument(name: string, starts: number): object;
  onKilled(name: string): void;
}): Child {
  const { slot, script, folder, argument, onKilled } = options;
  const finished = Promise.withResolvers<void>();
  finished.promise.catch(() => {});
  let child: ChildProcess;
  let name = "";
  let starts = 0;
  let ready = Promise.withResolvers<void>();
  let isReady = false;
  let died = Promise.withResolvers<void>();
  let stopped = Promise.withResolvers<void>();
  let isFinishing = false;
  let isOver = false;

  const tell = (line: string): void => void child.stdin?.write(`${line}\n`);

  function begin(): void {
    starts += 1;
    name = `${slot}-${starts}`;
    child = start(script, [JSON.stringify(argument(name, starts))], folder);
    hearFrom(child, (line) => {
      if (line === "stopped") stopped.resolve();
      if (line === "finished") isOver = true;
      if (line !== "ready") return;
      isReady = true;
      ready.resolve();
      if (isFinishing) tell("finish");
    });
    child.on("exit", (code, signal) => {
      if (isOver) finished.resolve();
      else if (signal === "SIGKILL") succeed();
      else fail(new Error(`${name} ended by itself (${signal ?? code}); the log says why.`));
    });
  }

  function succeed(): void {
    onKilled(name);
    if (isReady) ready = Promise.withResolvers();
    isReady = false;
    begin();
    died.resolve();
    died = Promise.withResolvers();
  }

  function fail(error: Error): void {
    if (isReady) ready = Promise.withResolvers();
    ready.promise.catch(() => {});
    ready.reject(error);
    died.resolve();
    finished.reject(error);
  }

  begin();
  return {
    get name() {
      return name;
    },
    ready: () => ready.promise,
    signal: (signal) => void child.kill(signal),
    kill: () => {
      child.kill("SIGKILL");
      return died.promise;
    },
    strike: async (blow) => {
      await ready.promise;
      stopped = Promise.withResolvers();
      tell(JSON.stringify(blow));
      await (blow.signal === "SIGKILL" ? died.promise : stopped.promise);
    },
    finish: async () => {
      isFinishing = true;
      if (isReady) tell("finish");
      await finished.promise;
    },
    end: () => {
      isOver = true;
      child.kill("SIGKILL");
    },
  };
}
