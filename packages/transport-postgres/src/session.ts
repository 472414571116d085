import type { System } from "@posthorn/core";
import type { PgClient } from "./client.ts";
import { sleepUntil, within } from "./deadline.ts";
import type { Outbox } from "./outbox.ts";

export interface SessionOptions {
  readonly client: PgClient;
  readonly channel: string;
  readonly outbox: Outbox;
  readonly system: System;
  readonly heartbeatMs: number;
  /** Ends the session. */
  readonly signal: AbortSignal;
  /** It listens. */
  onUp(): void;
  onPayload(payload: string): void;
}

/** How long what is said next is gathered after something was sent. */
const GATHER_MS = 25;
const ANSWER_WITHIN_MS = 5_000;
const END_WITHIN_MS = 1_000;

const NOTIFY = "select pg_notify($1, payload) from unnest($2::text[]) as payload";
const HEARTBEAT = "select channel from pg_listening_channels() as channel";

/**
 * The life of one connection: it hears the channel, sends what is in the outbox, and asks after
 * itself when there is nothing to send. One question at a time, each with a deadline.
 *
 * @throws always, in the end: what ended the connection, or the signal's reason
 */
export async function session(options: SessionOptions): Promise<never> {
  const { client, channel, outbox, system, heartbeatMs, signal, onUp, onPayload } = options;
  const over = new AbortController();
  client.on("error", (error) => over.abort(error));
  client.on("end", () => over.abort(new Error("PostgreSQL ended the connection.")));
  client.on("notification", ({ channel: heardOn, payload = "" }) => {
    if (heardOn === channel) onPayload(payload);
  });
  const close = (): void => over.abort(signal.reason);
  signal.addEventListener("abort", close, { signal: over.signal });

  const answer = <Result>(work: Promise<Result>): Promise<Result> =>
    within(work, { ms: ANSWER_WITHIN_MS, system, signal: over.signal });
  const beat = async (): Promise<void> => {
    const { rows } = await answer(client.query(HEARTBEAT));
    if (!rows.some((row) => row["channel"] === channel)) throw new Error(NOT_LISTENING);
  };
  const send = async ({ wake, payloads }: ReturnType<Outbox["take"]>): Promise<void> => {
    try {
      await answer(client.query(NOTIFY, [channel, payloads]));
    } catch (error) {
      if (wake) outbox.wake();
      throw error;
    }
  };

  try {
    await answer(client.connect());
    await answer(client.query(`listen "${channel}"`));
    await beat();
    onUp();
    for (;;) {
      await sleepUntil([over.signal, outbox.filled], { ms: heartbeatMs, system });
      over.signal.throwIfAborted();
      if (outbox.filled.aborted) {
        await send(outbox.take());
        await system.sleep(GATHER_MS, over.signal);
      } else {
        await beat();
      }
    }
  } finally {
    await end(client, system);
  }
}

const NOT_LISTENING =
  "The connection does not listen, although it was told to. A pooler in transaction mode hands every statement to another connection: let createClient connect to PostgreSQL itself, or to a pooler in session mode.";

/** Says goodbye; a socket that no longer answers is destroyed, or it would outlive the transport. */
async function end(client: PgClient, system: System): Promise<void> {
  try {
    await within(client.end(), { ms: END_WITHIN_MS, system });
  } catch {
    // Whatever went wrong, this connection is given up.
  }
  client.connection?.stream?.destroy();
}
