import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { virtualSystem } from "@posthorn/testing";
import type { FakeSlack } from "@posthorn/testing/slack";
import { createApp } from "./app.ts";
import { type CloudTruthBus, createBus } from "./bus.ts";
import { databaseAddress } from "./database/address.ts";
import { type Database, openDatabase } from "./database/database.ts";
import { createWorkspaces, type Workspace } from "./slack/workspaces.ts";
import { createStore, type Store } from "./store.ts";

/** The example for tests: no port, and time that passes when a test says so. */
export interface Rehearsal {
  readonly bus: CloudTruthBus;
  readonly db: Database["db"];
  readonly store: Store;
  readonly slack: FakeSlack;
  readonly workspaces: readonly Workspace[];
  /** Everything that was logged. */
  readonly logged: readonly unknown[];
  /** Lets time pass, and with it everything that becomes due. */
  advance(ms: number): Promise<void>;
  fetch(request: Request): Promise<Response>;
  /** A request with JSON, as acme unless it says otherwise. */
  send(
    method: string,
    path: string,
    options?: { readonly body?: unknown; readonly apiKey?: string },
  ): Promise<Answer>;
  stop(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of any kind, which the test compares.
  readonly body: any;
}

export const baseUrl = "http://localhost:4000";

/**
 * @param databaseUrl a database to rehearse on; otherwise a SQLite file that is removed at the end.
 * @param startAt when it is at first (epoch milliseconds): for everybody, the database too.
 */
export async function rehearse(databaseUrl?: string, startAt?: number): Promise<Rehearsal> {
  const folder = await mkdtemp(join(tmpdir(), "cloudtruth-"));
  const address = databaseAddress(databaseUrl ?? `file:${folder}/rehearsal.db`);
  const { db, close, ...database } = await openDatabase(address);
  const { slack, workspaces } = await createWorkspaces();
  const logged: unknown[] = [];
  const log = (fields: object, message: string): void => void logged.push({ message, ...fields });
  const logger = { debug: log, info: log, warn: log, error: log };
  const system = virtualSystem({ startAt });
  const storage = { ...database.storage, clock: async () => system.now() };
  const encryptionKey = Buffer.alloc(32, "a key for tests").toString("base64");
  const bus = createBus({ storage, slackUrl: slack.url, encryptionKey, logger, system });
  const organizations = workspaces.map(({ organization }) => organization);
  const store = await createStore(db, organizations, system);
  const app = createApp({ store, bus, baseUrl, slack, workspaces, logger });
  const fetch = async (request: Request): Promise<Response> => app.fetch(request);
  return {
    bus,
    db,
    store,
    slack,
    workspaces,
    logged,
    advance: async (ms) => {
      const target = system.now() + ms;
      for (;;) {
        const { nextDueAt } = await bus.drain();
        if (system.now() >= target) return;
        system.moveTo(Math.min(nextDueAt ?? target, target));
      }
    },
    fetch,
    send: async (method, path, { body, apiKey = "acme-key" } = {}) => {
      const response = await fetch(
        new Request(new URL(path, baseUrl), {
          method,
          headers: { authorization: `Api-Key ${apiKey}`, "content-type": "application/json" },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        }),
      );
      const text = await response.text();
      const { status, headers } = response;
      return { status, headers, body: text === "" ? null : JSON.parse(text) };
    },
    stop: async () => {
      await bus.stop();
      await slack.close();
      await close();
      await rm(folder, { recursive: true });
    },
  };
}
