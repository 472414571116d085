import type { Connections, Execute } from "./connections.ts";
import { failureOf } from "./failure.ts";

/** A connection of the host's pool, for as long as it is lent to us. */
export interface Session {
  readonly execute: Execute;
  begin(): Promise<void>;
  /** After what was played outside any transaction: ends the one that a session may have begun by itself. */
  finish(): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** Why the connection was lost, if it was: perhaps while nobody asked anything of it. */
  loss(): { readonly error: unknown } | undefined;
  /** Gives it back. */
  release(): void;
  /** Ends it; the pool makes another one. */
  destroy(): void;
}

/** For drivers that lend connections. */
export const lending = (lend: () => Promise<Session>): Connections => ({
  plain: async (play) => {
    const session = await lend();
    try {
      const result = await play(session.execute);
      await session.finish();
      session.release();
      return result;
    } catch (thrown) {
      const error = causeOf(thrown, session);
      await leave(session, error, session.finish);
      throw error;
    }
  },

  transaction: async (play, committing) => {
    const session = await lend();
    try {
      await session.begin();
      const result = await play(session.execute);
      const loss = session.loss();
      if (loss !== undefined) throw loss.error;
      committing();
      await session.commit();
      session.release();
      return result;
    } catch (thrown) {
      const error = causeOf(thrown, session);
      await leave(session, error, session.rollback);
      throw error;
    }
  },
});

/** What broke a connection tells more than "the connection is broken". */
const causeOf = (thrown: unknown, session: Session): unknown => session.loss()?.error ?? thrown;

const isUseless = (error: unknown): boolean => ["lost", "unprepared"].includes(failureOf(error));

async function leave(session: Session, error: unknown, end: () => Promise<void>): Promise<void> {
  if (isUseless(error)) return session.destroy();
  try {
    await end();
    session.release();
  } catch {
    session.destroy();
  }
}

/** A connection as the event emitter that it is. */
export interface Emitter {
  on(event: "error", listener: (error: unknown) => void): unknown;
  off(event: "error", listener: (error: unknown) => void): unknown;
}

/** Listens to a connection while it is lent: an error event that nobody hears ends the process. */
export function watch(connection: Emitter): { loss: Session["loss"]; end(): void } {
  let loss: { readonly error: unknown } | undefined;
  const listener = (error: unknown): void => {
    loss ??= { error };
  };
  connection.on("error", listener);
  return { loss: () => loss, end: () => connection.off("error", listener) };
}
