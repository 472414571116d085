import { EventEmitter } from "eventemitter3";
import type { StoredEvent } from "./event.ts";

/**
 * Carries hints between processes: "there is something to do", "this just happened".
 *
 * Nothing depends on it but latency. It may lose, repeat, delay or reorder anything, since every
 * dispatcher also polls. These laws are cases of the published contract suite
 * (`transportContract`):
 *
 * - `wake` and `broadcast` never throw and never block: trouble is the transport's own to log.
 * - What a listener receives was sent by some process, itself included or not.
 * - A listener that throws disturbs neither the transport nor other listeners.
 * - After the function that `listen` answered has been called, that listener hears nothing more.
 * - After `close`, nothing is heard and every method is a no-op. Closing twice is closing once.
 */
export interface Transport {
  /** Tells every process that something may be due. */
  wake(): void;
  /** Tells every process that this event was committed. */
  broadcast(event: StoredEvent): void;
  /** Hears what any process says, until the returned function is called. */
  listen(listener: TransportListener): () => void;
  close(): Promise<void>;
}

export interface TransportListener {
  wake(): void;
  event(event: StoredEvent): void;
}

/** Connects the buses of one process that are given the same transport. */
export function inProcessTransport(): Transport {
  const emitter = new EventEmitter<{ wake: []; event: [StoredEvent] }>();
  let closed = false;
  const isolated =
    <Args extends unknown[]>(listener: (...args: Args) => void) =>
    (...args: Args): void => {
      try {
        listener(...args);
      } catch {
        // The listener's trouble is its own: the others still hear.
      }
    };
  return {
    wake: () => void emitter.emit("wake"),
    broadcast: (event) => void emitter.emit("event", event),
    listen: (listener) => {
      if (closed) return () => {};
      const wake = isolated(() => listener.wake());
      const event = isolated((stored: StoredEvent) => listener.event(stored));
      emitter.on("wake", wake).on("event", event);
      return () => void emitter.off("wake", wake).off("event", event);
    },
    close: async () => {
      closed = true;
      emitter.removeAllListeners();
    },
  };
}
