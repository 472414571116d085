import { createEventBus, type EventBus, type Logger } from "@posthorn/core";
import { slack } from "@posthorn/handler-slack";
import { memoryStorage } from "@posthorn/storage-memory";
import { type CloudTruthCatalog, catalog } from "./catalog.ts";
import { templates } from "./templates.ts";

export type CloudTruthBus = EventBus<CloudTruthCatalog, ReturnType<typeof slack>>;

/** The example's bus. What it stores lives as long as the process. */
export function createBus(options: {
  /** Slack's Web API, or the fake's. */
  readonly slackUrl: string;
  /** 32 bytes, in base64. */
  readonly encryptionKey: string;
  readonly logger: Logger;
}): CloudTruthBus {
  const { slackUrl, encryptionKey, logger } = options;
  return createEventBus({
    catalog,
    storage: memoryStorage(),
    handlers: [slack<CloudTruthCatalog>({ templates, baseUrl: slackUrl })],
    encryptionKeys: [{ id: "example", key: encryptionKey }],
    logger,
  });
}
