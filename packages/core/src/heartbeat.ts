import type { Clock } from "./clock.ts";
import type { Storage } from "./storage.ts";

const EVERY_MS = 10_000;
/** How long past its next look a dispatcher of which nothing is heard is thought to be alive. */
const ALIVE_FOR_MS = 30_000;

/** Says that this process delivers, so that a health check in any process knows. */
export interface Pulse {
  /** Says so, if it is time to. */
  beat(): Promise<void>;
  /** Says that it no longer does. Never rejects: after a while it is known anyway. */
  end(): Promise<void>;
}

export function createPulse(options: {
  readonly storage: Pick<Storage<never>, "beat">;
  readonly clock: Clock;
  /** The dispatcher's. */
  readonly id: string;
  /** How long it sleeps at most. */
  readonly pollMs: number;
}): Pulse {
  const { storage, clock, id, pollMs } = options;
  let beatAt: number | null = null;

  return {
    beat: async () => {
      const now = clock.now();
      if (beatAt !== null && now < beatAt) return;
      await storage.beat({ id, now, aliveUntil: now + pollMs + ALIVE_FOR_MS });
      beatAt = now + EVERY_MS;
    },
    end: async () => {
      if (beatAt === null) return;
      const now = clock.now();
      await storage.beat({ id, now, aliveUntil: now }).catch(() => {});
    },
  };
}
