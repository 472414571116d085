import type { Replay, ReplayStep, ReplayStore } from "@posthorn/core";
import { pageOf } from "./page.ts";
import { queuedIn } from "./queue.ts";
import { findLane, type Owed, type Replaying, ready, type State } from "./state.ts";
import { owe, waitInTurn } from "./traffic.ts";

export function replaysIn(state: State): ReplayStore {
  const { replays } = state;
  return {
    create: async (replay) => {
      ready(state);
      const { organization, subscriptionId: id } = replay;
      if (findLane(state, { organization, id }) === null) return false;
      if (!replays.has(replay.id)) {
        replays.set(replay.id, { replay: Object.freeze({ ...replay }), after: "", steppedAt: 0 });
      }
      return true;
    },

    get: async ({ organization, id }) => {
      ready(state);
      const replay = replays.get(id)?.replay;
      return replay?.organization === organization ? replay : null;
    },

    list: async (request) => {
      ready(state);
      const { organization, subscriptionId } = request;
      const found = [...replays.values()]
        .map(({ replay }) => replay)
        .filter(
          (replay) =>
            replay.organization === organization &&
            (subscriptionId === undefined || replay.subscriptionId === subscriptionId),
        );
      return pageOf(found, request);
    },

    cancel: async ({ organization, id }, now) => {
      ready(state);
      const replaying = replays.get(id);
      if (replaying?.replay.organization !== organization) return false;
      if (replaying.replay.status !== "running") return false;
      end(replaying, "canceled", now);
      return true;
    },

    step: async ({ now, max, newId }) => {
      ready(state);
      const running = [...replays.values()]
        .filter(({ replay }) => replay.status === "running")
        .sort((a, b) => a.steppedAt - b.steppedAt || (a.replay.id < b.replay.id ? -1 : 1));
      const next = running.find(({ replay }) => hasRoom(state, replay, max));
      if (next === undefined) return { made: 0, running: running.length > 0, ended: null };
      return step(state, next, { now, max, newId });
    },
  };
}

const laneOf = (state: State, { organization, subscriptionId: id }: Replay) =>
  findLane(state, { organization, id });

function hasRoom(state: State, replay: Replay, max: number): boolean {
  const lane = laneOf(state, replay);
  return lane === null || lane.waiting.size + queuedIn(lane).length < max;
}

function step(
  state: State,
  replaying: Replaying,
  { now, max, newId }: Parameters<ReplayStore["step"]>[0],
): ReplayStep {
  const { replay } = replaying;
  replaying.steppedAt = now;
  const lane = laneOf(state, replay);
  if (lane === null) return { made: 0, running: true, ended: end(replaying, "canceled", now) };

  const found = [...state.deliveries.values()]
    .filter((owed) => owed.lane === lane && owed.delivery.id > replaying.after)
    .filter((owed) => isMeant(state, owed, replay))
    .sort((a, b) => (a.delivery.id < b.delivery.id ? -1 : 1))
    .slice(0, max);
  for (const owed of found) {
    const { delivery } = owed;
    const fresh = { ...delivery, id: newId(), createdAt: now };
    waitInTurn(state, owe(state, owed, fresh, delivery.id), owed.occurrence.queue);
    replaying.after = delivery.id;
  }
  const redelivered = replay.redelivered + found.length;
  replaying.replay = Object.freeze({ ...replay, redelivered });
  const ended = found.length < max ? end(replaying, "done", now) : null;
  return { made: found.length, running: true, ended };
}

function isMeant(
  { deliveries }: State,
  { delivery }: Owed,
  { from, until, which }: Replay,
): boolean {
  if (delivery.createdAt < from || delivery.createdAt >= until) return false;
  if (which === "dead" ? delivery.status !== "dead" : delivery.status === "pending") return false;
  for (const other of deliveries.values()) {
    if (other.delivery.redeliveryOf === delivery.id) return false;
  }
  return true;
}

function end(replaying: Replaying, status: "done" | "canceled", now: number): Replay {
  replaying.replay = Object.freeze({ ...replaying.replay, status, endedAt: now });
  return replaying.replay;
}
