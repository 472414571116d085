import {
  type Appended,
  type NewEvent,
  queueOf,
  type StoredEvent,
  type Unrouted,
} from "@posthorn/core";
import { frozen } from "./frozen.ts";
import type { Occurrence, State } from "./state.ts";

/** Adds events that are to be routed. */
export function append(state: State, given: readonly NewEvent[]): readonly Appended[] {
  const { events, eventsByKey } = state;
  return given.map((event) => {
    const key = keyOf(event);
    const earlier = events.get(event.id) ?? (key === null ? undefined : eventsByKey.get(key));
    const { event: stored } = earlier ?? add(state, event);
    if (earlier === undefined) mark(state, { event: stored, after: null });
    return { event: stored, repeated: stored.id !== event.id };
  });
}

/** Notes that an event is to be routed, and from where on. */
export function mark({ unrouted }: State, marker: Unrouted): void {
  const { id, organization } = marker.event;
  const own = unrouted.get(organization) ?? new Map<string, Unrouted>();
  unrouted.set(organization, own.set(id, Object.freeze(marker)));
}

/** Notes that an event is routed. */
export function unmark({ unrouted, putOff }: State, { id, organization }: StoredEvent): void {
  const own = unrouted.get(organization);
  own?.delete(id);
  if (own?.size === 0) unrouted.delete(organization);
  putOff.delete(id);
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
