import { inProcessTransport, type Transport } from "@posthorn/core";
import { readPayload, writeEvent } from "./notification.ts";
import { type PostgresTransportOptions, resolveOptions } from "./options.ts";
import { createOutbox } from "./outbox.ts";
import { reconnect } from "./reconnect.ts";
import { session } from "./session.ts";

/**
 * Connects the processes that share a PostgreSQL database, by LISTEN and NOTIFY on one connection
 * of its own, which it opens when it is first used and keeps until `close`.
 *
 * - It tells at once when it was silent before, and then at most once in 25 ms: NOTIFY takes a lock
 *   that all commits of the server's notifying transactions share.
 * - An event that takes more than 7,800 bytes as JSON is not told to other processes, since a
 *   notification has no room for it: their `bus.on` listeners miss it. Deliveries do not depend on
 *   this. A reference instead would make every process read every such event from the database.
 * - When the connection is lost it connects again, with growing pauses of up to 10 seconds, and
 *   then wakes the listeners, who may have missed something. Meanwhile the last 1,000 events wait.
 *
 * @throws PosthornError `invalid_options`, naming the option and what it may be
 */
export function postgresTransport(options: PostgresTransportOptions): Transport {
  const { createClient, channel, heartbeatMs, events, log, system } = resolveOptions(options);
  const local = inProcessTransport();
  const from = system.id();
  const outbox = createOutbox(from);
  const closing = new AbortController();
  const { signal } = closing;
  let connected: Promise<void> | null = null;

  const onPayload = (payload: string): void => {
    const news = readPayload(payload);
    if (news === null || news.from === from) return;
    if (events) for (const event of news.events) local.broadcast(event);
    if (news.wake) local.wake();
  };
  const connect = (): void => {
    connected ??= reconnect(
      (onUp) =>
        session({
          client: createClient(),
          channel,
          outbox,
          system,
          heartbeatMs,
          signal,
          onPayload,
          onUp: () => {
            onUp();
            local.wake();
          },
        }),
      { system, signal, log },
    );
  };

  return {
    wake: () => {
      connect();
      outbox.wake();
      local.wake();
    },
    broadcast: (event) => {
      local.broadcast(event);
      if (!events) return;
      connect();
      const text = writeEvent(event);
      if (text !== null) outbox.add(text);
      else log("debug", { event: event.id }, "An event is too large for other processes to hear.");
    },
    listen: (listener) => {
      connect();
      return local.listen(listener);
    },
    close: async () => {
      closing.abort();
      await local.close();
      await connected;
    },
  };
}
