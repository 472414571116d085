import type { Storage } from "@posthorn/core";
import { servedBy } from "./claim.ts";
import { type Lane, ready, type State } from "./state.ts";
import { DELETED } from "./subscriptions.ts";
import { end } from "./traffic.ts";

const EXPIRED = "expired: the subscription was switched off";

export function housekeepingIn(state: State): Pick<Storage, "sweep" | "prune" | "backlog"> {
  const { events, eventsByKey, unrouted, deliveries, lanes, flights } = state;
  return {
    sweep: async ({ now, expireBefore, max }) => {
      ready(state);
      let changed = 0;
      for (const lane of lanes.values()) {
        if (!lane.parked) continue;
        for (const { item } of [...lane.waiting]) {
          if (changed === max) return changed;
          if (lane.deleted) end(state, item, { status: "canceled", reason: DELETED, now });
          else if (item.delivery.createdAt >= expireBefore) continue;
          else end(state, item, { status: "dead", reason: EXPIRED, now });
          changed += 1;
        }
        if (changed === max) return changed;
        if (!lane.deleted || [...flights].some(({ item }) => item.lane === lane)) continue;
        lanes.delete(lane.record.id);
        changed += 1;
      }
      return changed;
    },

    prune: async ({ before, max }) => {
      ready(state);
      let pruned = 0;
      for (const { event, key, owed } of events.values()) {
        if (pruned === max) break;
        if (event.publishedAt >= before || unrouted.has(event.id)) continue;
        if (owed.some(({ delivery }) => delivery.status === "pending")) continue;
        events.delete(event.id);
        if (key !== null) eventsByKey.delete(key);
        for (const { delivery } of owed) deliveries.delete(delivery.id);
        pruned += 1;
      }
      return pruned;
    },

    backlog: async () => {
      ready(state);
      const open = [...lanes.values()].filter(({ parked, waiting }) => !parked && waiting.size > 0);
      const kinds = Map.groupBy(open, (lane) => JSON.stringify(servedBy(lane)));
      return {
        unrouted: unrouted.size,
        inFlight: flights.size,
        waiting: [...kinds.values()].map((some) => ({
          ...servedBy(some[0] as Lane),
          count: total(some),
          oldestDueAt: Math.min(...some.map(({ waiting }) => waiting.first()?.at as number)),
        })),
        parked: total([...lanes.values()].filter(({ parked }) => parked)),
      };
    },
  };
}

const total = (lanes: readonly Lane[]): number =>
  lanes.reduce((sum, { waiting }) => sum + waiting.size, 0);
