import type { Heartbeat } from "@posthorn/core";
import type { State } from "./state.ts";

/** Notes who delivers, and forgets who no longer does. */
export function beat({ dispatchers }: State, { id, now, aliveUntil }: Heartbeat): void {
  dispatchers.set(id, aliveUntil);
  for (const [known, until] of dispatchers) if (until <= now) dispatchers.delete(known);
}
