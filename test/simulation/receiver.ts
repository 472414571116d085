import type { Chance } from "../crash/chance.ts";
import type { Life } from "./life.ts";
import type { Entry, Sent } from "./log.ts";
import type { Weatherman } from "./weatherman.ts";
import type { World } from "./world.ts";

/** What comes back for a request: an answer, or nothing but a broken connection. */
export type Answer =
  | { readonly type: "status"; readonly status: number; readonly retryAfterMs: number }
  | { readonly type: "broken" };

type Item = Pick<Sent, "deliveryId" | "eventId" | "label">;

interface Request extends Omit<Sent, "type" | "at" | "send" | "call" | "process" | keyof Item> {
  readonly destination: number;
  /** What is in it, at least one. */
  readonly items: readonly Item[];
}

interface Sending {
  /** Of each item. */
  readonly sends: readonly number[];
  readonly answer: Promise<Answer>;
}

/** The outside world. What it takes it has, whatever becomes of the sender. */
export interface Receiver {
  /** Sends a request; answers what comes back, which may be nothing, ever. */
  send(life: Life, request: Request): Sending;
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

  const take = (taken: readonly number[]): void => {
    for (const send of taken) write({ type: "taken", at: world.now, send });
  };

  /** What a destination does with a request: when it answers, and what. */
  function treat(
    sent: readonly number[],
    destination: number,
  ): { afterMs: number; answer: Answer } | null {
    const spell = weather.spell(destination, world.now);
    const latency = between(5, 60);
    const status = (code: number, afterMs = latency, retryAfterMs = 0) => ({
      afterMs,
      answer: { type: "status", status: code, retryAfterMs } as const,
    });
    switch (spell?.fault) {
      case undefined:
        take(sent);
        return status(200);
      case "slow":
        take(sent);
        return status(200, spell.ms);
      case "late":
        take(sent);
        return status(200, 20_000);
      case "hang":
        if (next() < 0.5) take(sent);
        return null;
      case "dying":
        if (next() < 0.7) take(sent);
        return { afterMs: latency, answer: { type: "broken" } };
      case "throttle":
        return status(429, next() < 0.5 ? latency : between(200, 2_000), spell.ms);
      case "down":
        return status(500);
      case "gone":
        return status(410);
      case "reject":
        return status(400);
    }
  }

  return {
    send: (life, { destination, items, ...request }) => {
      if (!life.alive) return { sends: [], answer: new Promise(() => {}) };
      const call = sends + 1;
      const sent = items.map((_, index) => call + index);
      sends += items.length;
      items.forEach((item, index) => {
        const send = call + index;
        const { name: process } = life;
        write({ type: "sent", at: world.now, send, call, process, ...request, ...item });
      });
      const answer = new Promise<Answer>((resolve) => {
        world.at(between(1, 20), () => {
          const treated = treat(sent, destination);
          if (treated === null) return;
          const arrive = (): void => {
            const isOffline = world.now < life.offlineUntil;
            resolve(isOffline ? { type: "broken" } : treated.answer);
          };
          world.at(treated.afterMs, arrive, life);
        });
      });
      return { sends: sent, answer };
    },
  };
}
