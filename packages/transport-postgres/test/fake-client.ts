import { EventEmitter } from "node:events";
import type { PgClient } from "@posthorn/transport-postgres";

/** A client without a server: it remembers what it was asked, and fails as it is told. */
export interface FakeClient extends PgClient {
  /** Each statement, in order; of a NOTIFY, its payloads. */
  readonly asked: readonly (string | readonly string[])[];
  readonly isDestroyed: boolean;
  readonly hasEnded: boolean;
  /** From now on nothing is answered; with `on`, only statements that contain it are not. */
  fallSilent(on?: string): void;
  /** From now on statements that contain `on` fail. */
  refuse(on: string, error: Error): void;
  /** The server answers that nothing listens. */
  forgetListen(): void;
  notify(payload: string, channel?: string): void;
  fail(error: Error): void;
}

const never = (): Promise<never> => new Promise(() => {});

export function fakeClient(channel = "posthorn"): FakeClient {
  const emitter = new EventEmitter();
  const asked: (string | readonly string[])[] = [];
  let silence: string | null = null;
  let refusal: { readonly on: string; readonly error: Error } | null = null;
  let listens = true;
  let isDestroyed = false;
  let hasEnded = false;
  const answer = async (text: string): Promise<void> => {
    if (silence !== null && text.includes(silence)) await never();
    if (refusal !== null && text.includes(refusal.on)) throw refusal.error;
  };
  return {
    asked,
    get isDestroyed() {
      return isDestroyed;
    },
    get hasEnded() {
      return hasEnded;
    },
    connect: () => answer("connect"),
    query: async (text, values) => {
      asked.push(values === undefined ? text : (values[1] as readonly string[]));
      await answer(text);
      return { rows: text.includes("pg_listening_channels") && listens ? [{ channel }] : [] };
    },
    on: (event: string, listener: (...said: never[]) => void) =>
      void emitter.on(event, listener as (...said: unknown[]) => void),
    end: async () => {
      await answer("end");
      hasEnded = true;
      emitter.emit("end");
    },
    connection: {
      stream: {
        destroy: () => {
          isDestroyed = true;
        },
      },
    },
    fallSilent: (on = "") => {
      silence = on;
    },
    refuse: (on, error) => {
      refusal = { on, error };
    },
    forgetListen: () => {
      listens = false;
    },
    notify: (payload, on = channel) => void emitter.emit("notification", { channel: on, payload }),
    fail: (error) => void emitter.emit("error", error),
  };
}
