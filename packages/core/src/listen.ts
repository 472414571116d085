import { EventEmitter } from "eventemitter3";
import type { Catalog, EventName } from "./catalog.ts";
import { type CatalogEvent, type Event, parseEvent, type StoredEvent } from "./event.ts";
import { callListener } from "./lifecycle.ts";
import type { Logger } from "./logger.ts";
import { type EventPattern, type MatchedName, matches } from "./pattern.ts";

/** Hears events of the catalog; `event.type` tells what `event.data` is. */
export type EventListener<C extends Catalog, Pattern extends string> = (
  event: CatalogEvent<C, MatchedName<C, Pattern> & EventName<C>>,
) => unknown;

/** Registers a listener; call what it answers to stop listening. */
export type Listen<C extends Catalog> = <const Pattern extends EventPattern<C>>(
  pattern: Pattern,
  listener: EventListener<C, Pattern>,
) => () => void;

export interface Listeners {
  on(pattern: string, listener: (event: Event) => unknown): () => void;
  /** Tells every matching listener, once, after the caller has gone on. */
  announce(event: StoredEvent): void;
}

/** An event that is announced again after this many others is taken for a new one. */
const REMEMBERED = 10_000;

export function createListeners(logger: Logger): Listeners {
  const emitter = new EventEmitter<{ [pattern: string]: [StoredEvent] }>();
  const announced = new Set<string>();
  /** In the order in which they came, round and round: a set finds its oldest only by looking. */
  const inOrder: string[] = [];
  let next = 0;

  function remember(id: string): boolean {
    if (announced.has(id)) return false;
    const oldest = inOrder[next];
    if (oldest !== undefined) announced.delete(oldest);
    announced.add(id);
    inOrder[next] = id;
    next = (next + 1) % REMEMBERED;
    return true;
  }

  return {
    on: (pattern, listener) => {
      const heard = (event: StoredEvent): void =>
        callListener(() => listener(parseEvent(event)), pattern, logger);
      emitter.on(pattern, heard);
      return () => void emitter.off(pattern, heard);
    },
    announce: (stored) => {
      const patterns = emitter
        .eventNames()
        .filter((pattern) => matches(String(pattern), stored.type));
      if (!remember(stored.id) || patterns.length === 0) return;
      queueMicrotask(() => {
        for (const pattern of patterns) emitter.emit(pattern, stored);
      });
    },
  };
}
