import type { Abilities } from "./lane.ts";
import { describe } from "./redact.ts";
import type { Backlog, Storage } from "./storage.ts";

/** How the bus is doing, for a health endpoint. */
export interface Health {
  /** `down` if the storage does not answer; `degraded` if something waits that will not move. */
  readonly status: "ok" | "degraded" | "down";
  readonly dispatcher: "idle" | "running" | "stopped";
  /** Deliveries in flight in this process. */
  readonly inFlight: number;
  /** What waits in the storage; null if it does not answer. */
  readonly backlog: Backlog | null;
  readonly problems: readonly HealthProblem[];
}

export interface HealthProblem {
  readonly code: "storage_down" | "no_dispatcher" | "no_handler" | "missing_encryption_key";
  /** What it is and what to do about it. */
  readonly detail: string;
}

export async function checkHealth(
  storage: Storage<never>,
  abilities: Abilities,
  now: number,
  dispatcher: Pick<Health, "dispatcher" | "inFlight">,
): Promise<Health> {
  try {
    const backlog = await storage.backlog(now);
    const unserved = backlog.waiting.flatMap((waiting) => unable(waiting, abilities));
    const served = backlog.waiting.filter((waiting) => unable(waiting, abilities).length === 0);
    const isDue = backlog.unrouted > 0 || served.some(({ oldestDueAt }) => oldestDueAt <= now);
    const isAttended = backlog.dispatchers > 0 || dispatcher.dispatcher === "running";
    const problems = isDue && !isAttended ? [noDispatcher, ...unserved] : unserved;
    return { ...dispatcher, status: problems.length > 0 ? "degraded" : "ok", backlog, problems };
  } catch (error) {
    const detail = `The storage does not answer: ${describe(error)}`;
    const problems: HealthProblem[] = [{ code: "storage_down", detail }];
    return { ...dispatcher, status: "down", backlog: null, problems };
  }
}

const noDispatcher: HealthProblem = {
  code: "no_dispatcher",
  detail:
    "Something is due, and no process delivers. Call `bus.start()` in one that stays up, or `bus.drain()` from time to time.",
};

function unable(
  { handlerType, keyId, count }: Backlog["waiting"][number],
  abilities: Abilities,
): readonly HealthProblem[] {
  if (!abilities.handlerTypes.includes(handlerType)) {
    return [
      {
        code: "no_handler",
        detail: `${count} deliveries wait for a handler of type "${handlerType}", which this process does not have. They spend nothing meanwhile. Add it to \`handlers\`, or let another process deliver them.`,
      },
    ];
  }
  if (keyId !== null && !abilities.keyIds.includes(keyId)) {
    return [
      {
        code: "missing_encryption_key",
        detail: `${count} deliveries of type "${handlerType}" wait for the key "${keyId}", which this process does not have. They spend nothing meanwhile. Add it to \`encryptionKeys\`.`,
      },
    ];
  }
  return [];
}
