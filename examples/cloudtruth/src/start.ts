import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Logger, System } from "@posthorn/core";
import type { FakeSlack } from "@posthorn/testing/slack";
import { createApp } from "./app.ts";
import { createBus } from "./bus.ts";
import type { DatabaseAddress } from "./database/address.ts";
import { openDatabase } from "./database/database.ts";
import { createWorkspaces, type Workspace } from "./slack/workspaces.ts";
import { createStore, type Store } from "./store.ts";

/** The example, running. */
export interface Example {
  readonly baseUrl: string;
  readonly slack: FakeSlack;
  readonly workspaces: readonly Workspace[];
  readonly store: Store;
  /** Ends deliveries in flight, then every connection. */
  stop(): Promise<void>;
}

/**
 * Starts the app, its bus and its fake Slack.
 *
 * @throws Mistake if the database cannot be used, and what `listen` throws if the port is not to be
 * had: `EADDRINUSE`, `EACCES`, …
 */
export async function start(options: {
  /** 0 for any that is free. */
  readonly port: number;
  readonly hostname: string;
  readonly database: DatabaseAddress;
  /** 32 bytes, in base64. */
  readonly encryptionKey: string;
  readonly logger: Logger;
  /** Time, chance and ids, for tests. */
  readonly system?: System;
}): Promise<Example> {
  const { port, hostname, database, encryptionKey, logger, system } = options;
  const { db, storage, close } = await openDatabase(database);
  const server = await listen(port, hostname).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  const baseUrl = `http://localhost:${(server.address() as AddressInfo).port}`;

  const { slack, workspaces } = await createWorkspaces();
  const bus = createBus({ storage, slackUrl: slack.url, encryptionKey, logger, system });
  bus.lifecycle.on("*", (name, report) => {
    if (!("attempt" in report)) return;
    const { id, eventType, handlerType } = report.delivery;
    const { reason = null, remedy = null } = report.attempt ?? {};
    const level = name === "delivery.delivered" ? "info" : "warn";
    logger[level]({ delivery: id, reason, remedy }, `${name} ${eventType} → ${handlerType}`);
  });
  const organizations = workspaces.map(({ organization }) => organization);
  const store = await createStore(db, organizations, system);
  const app = createApp({ store, bus, baseUrl, slack, workspaces, logger });
  server.on("request", getRequestListener(app.fetch));
  bus.start();

  return {
    baseUrl,
    slack,
    workspaces,
    store,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await bus.stop({ deadlineMs: 5_000 });
      server.closeAllConnections();
      await Promise.all([closed, slack.close()]);
      await close();
    },
  };
}

function listen(port: number, hostname: string): Promise<Server> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => resolve(server));
  });
}
