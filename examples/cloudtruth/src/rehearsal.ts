import { slack } from "@posthorn/handler-slack";
import { createTestBus, type TestBus } from "@posthorn/testing";
import type { FakeSlack } from "@posthorn/testing/slack";
import { createApp } from "./app.ts";
import { type CloudTruthCatalog, catalog } from "./catalog.ts";
import { createWorkspaces, type Workspace } from "./slack/workspaces.ts";
import { createStore, type Store } from "./store.ts";
import { templates } from "./templates.ts";

/** The example for tests: no port, and time that passes when a test says so. */
export interface Rehearsal {
  readonly bus: TestBus<CloudTruthCatalog>;
  readonly store: Store;
  readonly slack: FakeSlack;
  readonly workspaces: readonly Workspace[];
  /** Everything that was logged. */
  readonly logged: readonly unknown[];
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

export async function rehearse(): Promise<Rehearsal> {
  const { slack: fake, workspaces } = await createWorkspaces();
  const logged: unknown[] = [];
  const log = (fields: object, message: string): void => void logged.push({ message, ...fields });
  const logger = { debug: log, info: log, warn: log, error: log };
  const bus = createTestBus({
    catalog,
    handlers: [slack<CloudTruthCatalog>({ templates, baseUrl: fake.url })],
    logger,
  });
  const store = createStore(bus.system);
  const app = createApp({ store, bus, baseUrl, slack: fake, workspaces, logger });
  const fetch = async (request: Request): Promise<Response> => app.fetch(request);
  return {
    bus,
    store,
    slack: fake,
    workspaces,
    logged,
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
      await fake.close();
    },
  };
}
