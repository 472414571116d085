import { randomBytes } from "node:crypto";
import { createEventBus, defineCatalog, family } from "@posthorn/core";
import { slack } from "@posthorn/handler-slack";
import { createRestApi, type RestApi } from "@posthorn/rest";
import { memoryStorage } from "@posthorn/storage-memory";
import { object, string } from "valibot";

const catalog = defineCatalog({
  ...family("project", { schema: object({ name: string() }), example: { name: "web" } }),
});

const bus = createEventBus({
  catalog,
  storage: memoryStorage(),
  // Nobody listens there: this example asks Slack for nothing.
  handlers: [slack({ baseUrl: "http://127.0.0.1:10/" })],
  encryptionKeys: [{ id: "2026-01", key: randomBytes(32) }],
});

// #region api
/** Whose key it is. A real host looks up a hash of it. */
const organizations = new Map([["Api-Key acme-key", "acme"]]);

export const api: RestApi = createRestApi({
  bus,
  authenticate: ({ headers }) => {
    const organization = organizations.get(headers.get("authorization") ?? "");
    return organization === undefined ? null : { organization };
  },
});
// #endregion api
