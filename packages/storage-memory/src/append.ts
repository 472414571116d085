import { type Appended, type NewEvent, queueOf } from "@posthorn/core";
import { frozen } from "./frozen.ts";
import type { Occurrence, State } from "./state.ts";

/** Adds events that are to be routed. */
export function append(state: State, given: readonly NewEvent[]): readonly Appended[] {
  const { events, eventsByKey, unrouted } = state;
  return given.map((event) => {
    const key = keyOf(event);
    const earlier = events.get(event.id) ?? (key === null ? undefined : eventsByKey.get(key));
    const { event: stored } = earlier ?? add(state, event);
    if (earlier === undefined)
      unrouted.set(stored.id, Object.freeze({ event: stored, after: null }));
    return { event: stored, repeated: stored.id !== event.id };
  });
}

export function add(state: State, event: NewEvent): Occurrence {
  const { events, eventsByKey } = state;
  state.added += 1;
  const { idempotencyKey: _, announced, ...stored } = event;
  const key = keyOf(event);
  const occurrence: Occurrence = {
    event: frozen(stored),
    key,
    announced,
    position: state.added,
    queue: queueOf(stored),
    owed: [],
  };
  events.set(stored.id, occurrence);
  if (key !== null) eventsByKey.set(key, occurrence);
  return occurrence;
}

const keyOf = ({ organization, idempotencyKey }: NewEvent): string | null =>
  idempotencyKey === null ? null : JSON.stringify([organization, idempotencyKey]);
