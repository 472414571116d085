import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { lending, type Session, watch } from "./session.ts";

/** A session that writes down what is asked of it. */
function recorded(rest: Partial<Session> = {}): { session: Session; log: string[] } {
  const log: string[] = [];
  const session: Session = {
    execute: async () => ({ rows: [], affected: 0 }),
    begin: async () => void log.push("begin"),
    finish: async () => void log.push("finish"),
    commit: async () => void log.push("commit"),
    rollback: async () => void log.push("rollback"),
    loss: () => undefined,
    release: () => void log.push("release"),
    destroy: () => void log.push("destroy"),
    ...rest,
  };
  return { session, log };
}

const refusing = async (): Promise<never> => {
  throw new Error("a mistake");
};

describe("a lent connection", () => {
  it("goes back to the pool after a commit", async () => {
    const { session, log } = recorded();
    const answer = await lending(async () => session).transaction(
      async () => "answer",
      () => log.push("committing"),
    );
    expect(answer).toBe("answer");
    expect(log).toEqual(["begin", "committing", "commit", "release"]);
  });

  it("goes back to the pool after a rollback", async () => {
    const { session, log } = recorded();
    const playing = lending(async () => session).transaction(refusing, () => {});
    await expect(playing).rejects.toThrow("a mistake");
    expect(log).toEqual(["begin", "rollback", "release"]);
  });

  it("goes back to the pool after a query that failed", async () => {
    const { session, log } = recorded();
    await expect(lending(async () => session).plain(refusing)).rejects.toThrow("a mistake");
    expect(log).toEqual(["finish", "release"]);
  });

  it("is left in no transaction by a query", async () => {
    const { session, log } = recorded();
    await lending(async () => session).plain(async () => "answer");
    expect(log).toEqual(["finish", "release"]);
  });

  it("is ended if its rollback fails, and the first error is the one that is thrown", async () => {
    const { session, log } = recorded({
      rollback: async () => {
        throw new Error("nor the rollback");
      },
    });
    const playing = lending(async () => session).transaction(refusing, () => {});
    await expect(playing).rejects.toThrow("a mistake");
    expect(log).toEqual(["begin", "destroy"]);
  });

  it("is ended if it was lost, and says why rather than that", async () => {
    const error = new Error("Connection terminated unexpectedly");
    const { session, log } = recorded({ loss: () => ({ error }) });
    const connections = lending(async () => session);
    await expect(connections.transaction(refusing, () => {})).rejects.toBe(error);
    await expect(connections.plain(refusing)).rejects.toBe(error);
    expect(log).toEqual(["begin", "destroy", "destroy"]);
  });

  it("that was lost while nothing was asked of it is not asked to commit", async () => {
    const error = new Error("Connection terminated unexpectedly");
    const { session, log } = recorded({ loss: () => ({ error }) });
    const playing = lending(async () => session).transaction(
      async () => "answer",
      () => log.push("committing"),
    );
    await expect(playing).rejects.toBe(error);
    expect(log).toEqual(["begin", "destroy"]);
  });

  it("is listened to for as long as it is lent", () => {
    const connection = new EventEmitter();
    const watched = watch(connection);
    expect(watched.loss()).toBeUndefined();
    const first = new Error("terminating connection");
    connection.emit("error", first);
    connection.emit("error", new Error("Connection terminated unexpectedly"));
    expect(watched.loss()).toEqual({ error: first });
    watched.end();
    expect(connection.listenerCount("error")).toBe(0);
  });
});
