import type { StoredEvent, Transport, TransportListener } from "@posthorn/core";
import type { Chance } from "../crash/chance.ts";
import type { Life } from "./life.ts";
import type { Weatherman } from "./weatherman.ts";
import type { World } from "./world.ts";

/** Carries hints between processes; on a bad day it loses, repeats and delays them. */
export interface Wires {
  connect(life: Life): Transport;
}

export function createWires(options: {
  readonly world: World;
  readonly chance: Chance;
  readonly weather: Weatherman;
}): Wires {
  const { world, chance, weather } = options;
  const listeners = new Map<TransportListener, Life>();

  function tell(hint: (listener: TransportListener) => void): void {
    for (const [listener, life] of listeners) {
      if (!life.alive) {
        listeners.delete(listener);
        continue;
      }
      const times = weather.strikes("wake-ups") ? chance.pick([0, 0, 0, 2]) : 1;
      for (let time = 0; time < times; time += 1) {
        const isLate = weather.strikes("wake-ups");
        const ms = isLate ? chance.between(0, 5_000) : chance.between(0, 5);
        world.at(ms, () => listeners.has(listener) && hint(listener), life);
      }
    }
  }

  return {
    connect: (life) => ({
      wake: () => tell((listener) => listener.wake()),
      broadcast: (event: StoredEvent) => tell((listener) => listener.event(event)),
      listen: (listener) => {
        listeners.set(listener, life);
        return () => void listeners.delete(listener);
      },
      close: async () => {},
    }),
  };
}
