import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** What a process of its own is to work on. */
export interface Order {
  readonly peer: string;
  readonly at: string;
  readonly concurrency: number;
}

export interface Hand {
  begin(): void;
  dismiss(): Promise<void>;
}

/** A process of its own for one peer, connected and waiting for `begin`. */
export async function hire(order: Order, onDone: (count: number) => void): Promise<Hand> {
  const child = fork(join(import.meta.dirname, "hand.ts"), [JSON.stringify(order)]);
  const exit = once(child, "exit");
  child.on("message", (message) => {
    if (typeof message === "number") onDone(message);
  });
  const ready = once(child, "message");
  await Promise.race([
    ready,
    exit.then(() => {
      throw new Error(`The process that works for ${order.peer} ended before it began.`);
    }),
  ]);
  return {
    begin: () => child.send("begin"),
    dismiss: async () => {
      child.send("end");
      await exit;
    },
  };
}
