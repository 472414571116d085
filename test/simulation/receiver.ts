import type { Chance } from "../crash/chance.ts";
import type { Life } from "./life.ts";
import type { Entry, Sent } from "./log.ts";
import type { Weatherman } from "./weatherman.ts";
import type { World } from "./world.ts";

/** What comes back for a request: an answer, or nothing but a broken connection. */
export type Answer =
  | { readonly type: "status"; readonly status: number; readonly retryAfterMs: number }
  | { readonly type: "broken" };

interface Request extends Omit<Sent, "type" | "at" | "send" | "process"> {
  readonly destination: number;
}

/** The outside world. What it takes it has, whatever becomes of the sender. */
export interface Receiver {
  /** Sends a request; answers what comes back, which may be nothing, ever. */
  send(life: Life, request: Request): { readonly send: number; readonly answer: Promise<Answer> };
}

export function createReceiver(options: {
  readonly world: World;
  readonly chance: Chance;
  readonly weather: Weatherman;
  readonly write: (entry: Entry) => void;
}): Receiver {
  const { world, chance, weather, write } = options;
  const { between, next } = chance;
  let sends = 0;

  const take = (send: number): void => write({ type: "taken", at: world.now, send });

  /** What a destination does with a request: when it answers, and what. */
  function treat(send: number, destination: number): { afterMs: number; answer: Answer } | null {
    const spell = weather.spell(destination, world.now);
    const latency = between(5, 60);
    const status = (code: number, afterMs = latency, retryAfterMs = 0) => ({
      afterMs,
      answer: { type: "status", status: code, retryAfterMs } as const,
    });
    switch (spell?.fault) {
      case undefined:
        take(send);
        return status(200);
      case "slow":
        take(send);
        return status(200, spell.ms);
      case "late":
        take(send);
        return status(200, 20_000);
      case "hang":
        if (next() < 0.5) take(send);
        return null;
      case "dying":
        if (next() < 0.7) take(send);
        return { afterMs: latency, answer: { type: "broken" } };
      case "throttle":
        return status(429, latency, spell.ms);
      case "down":
        return status(500);
      case "gone":
        return status(410);
      case "reject":
        return status(400);
    }
  }

  return {
    send: (life, { destination, ...request }) => {
      if (!life.alive) return { send: 0, answer: new Promise(() => {}) };
      sends += 1;
      const send = sends;
      write({ type: "sent", at: world.now, send, process: life.name, ...request });
      const answer = new Promise<Answer>((resolve) => {
        world.at(between(1, 20), () => {
          const treated = treat(send, destination);
          if (treated === null) return;
          world.at(treated.afterMs, () => resolve(treated.answer), life);
        });
      });
      return { send, answer };
    },
  };
}
