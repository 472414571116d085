import { writePayloads } from "./notification.ts";

/** What is still to be told to the other processes. */
export interface Outbox {
  wake(): void;
  /** Takes an event's text; when too many wait, the oldest is lost. */
  add(event: string): void;
  /** Aborted as soon as there is something to take. */
  readonly filled: AbortSignal;
  /** Empties it. */
  take(): { readonly wake: boolean; readonly payloads: readonly string[] };
}

const MOST_EVENTS = 1_000;

export function createOutbox(from: string): Outbox {
  let wake = false;
  let events: string[] = [];
  let filled = new AbortController();
  return {
    wake: () => {
      wake = true;
      filled.abort();
    },
    add: (event) => {
      if (events.length === MOST_EVENTS) events.shift();
      events.push(event);
      filled.abort();
    },
    get filled() {
      return filled.signal;
    },
    take: () => {
      const taken = { wake, payloads: writePayloads({ from, wake, events }) };
      wake = false;
      events = [];
      filled = new AbortController();
      return taken;
    },
  };
}
