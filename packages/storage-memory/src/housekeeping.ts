import type { Storage } from "@posthorn/core";
import { servedBy } from "./claim.ts";
import { beat } from "./heartbeat.ts";
import { queuedIn } from "./queue.ts";
import { type Lane, ready, type State } from "./state.ts";
import { DELETED, pendingIn } from "./subscriptions.ts";
import { end } from "./traffic.ts";

const EXPIRED = "expired: it waited for too long";
const EXPIRED_PARKED = "expired: the subscription was switched off";

export function housekeepingIn(
  state: State,
): Pick<Storage, "sweep" | "prune" | "beat" | "backlog"> {
  const { events, eventsByKey, unrouted, deliveries, lanes, flights, replays } = state;
  return {
    sweep: async ({ now, expireBefore, max }) => {
      ready(state);
      let changed = 0;
      for (const lane of lanes.values()) {
        for (const owed of pendingIn(lane)) {
          if (changed === max) return changed;
          if (lane.deleted) end(state, owed, { status: "canceled", reason: DELETED, now });
          else if (owed.delivery.createdAt >= expireBefore) continue;
          else {
            const reason = lane.parked ? EXPIRED_PARKED : EXPIRED;
            end(state, owed, { status: "dead", reason, now });
          }
          changed += 1;
        }
        if (changed === max) return changed;
        if (!lane.deleted || [...flights].some(({ item }) => item.lane === lane)) continue;
        lanes.delete(lane.record.id);
        changed += 1;
      }
      return changed;
    },

    prune: async ({ before, max, organization }) => {
      ready(state);
      for (const { replay } of replays.values()) {
        if (replay.endedAt === null || replay.endedAt >= before) continue;
        if (organization === undefined || organization === replay.organization) {
          replays.delete(replay.id);
        }
      }
      let pruned = 0;
      for (const { event, key, owed } of events.values()) {
        if (pruned === max) break;
        if (event.publishedAt >= before || unrouted.get(event.organization)?.has(event.id))
          continue;
        if (organization !== undefined && event.organization !== organization) continue;
        if (owed.some(({ delivery }) => delivery.status === "pending")) continue;
        events.delete(event.id);
        if (key !== null) eventsByKey.delete(key);
        for (const { delivery } of owed) deliveries.delete(delivery.id);
        pruned += 1;
      }
      return pruned;
    },

    beat: async (heartbeat) => {
      ready(state);
      beat(state, heartbeat);
    },

    backlog: async (now) => {
      ready(state);
      const gates = [...state.gates.values()];
      const open = [...lanes.values()].filter(({ parked, waiting }) => !parked && waiting.size > 0);
      const kinds = Map.groupBy(open, (lane) => JSON.stringify(servedBy(lane)));
      return {
        unrouted: [...unrouted.values()].reduce((sum, { size }) => sum + size, 0),
        inFlight: flights.size,
        waiting: [...kinds.values()].map((some) => ({
          ...servedBy(some[0] as Lane),
          count: total(some),
          oldestDueAt: Math.min(...some.map(({ waiting }) => waiting.first()?.at as number)),
        })),
        parked: total([...lanes.values()].filter(({ parked }) => parked)),
        queued: [...lanes.values()].reduce((sum, lane) => sum + queuedIn(lane).length, 0),
        failing: [...lanes.values()].filter(isFailing).length,
        gates: {
          paused: gates.filter(({ pausedUntil }) => pausedUntil > now).length,
          open: gates.filter(({ breaker }) => breaker?.state === "open" && breaker.until > now)
            .length,
        },
        dispatchers: [...state.dispatchers.values()].filter((until) => until > now).length,
      };
    },
  };
}

const isFailing = ({ record, deleted }: Lane): boolean => !deleted && record.failing !== null;

const total = (lanes: readonly Lane[]): number =>
  lanes.reduce((sum, { waiting }) => sum + waiting.size, 0);
