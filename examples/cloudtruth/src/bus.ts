import {
  createEventBus,
  type EventBus,
  type Logger,
  type Storage,
  type System,
} from "@posthorn/core";
import { http } from "@posthorn/handler-http";
import { type SlackManifestOptions, slack } from "@posthorn/handler-slack";
import type { DetectedTransaction } from "@posthorn/storage-sql/transaction";
import { type CloudTruthCatalog, catalog } from "./catalog.ts";
import { templates } from "./templates.ts";

export type CloudTruthBus = EventBus<
  CloudTruthCatalog,
  ReturnType<typeof slack> | ReturnType<typeof http>,
  DetectedTransaction
>;

/** The Slack app that customers make: GET /api/v1/webhooks/types/slack/ shows its manifest. */
const app: SlackManifestOptions = {
  name: "CloudTruth Webhook",
  description: "Posts configuration change events to a channel.",
};

/** In production it is `http()` alone: here receivers may be on this computer, without TLS. */
const signed = http<CloudTruthCatalog>({
  guard: { allow: ["127.0.0.1"], http: true, ports: "any" },
  source: "urn:example:cloudtruth",
});

/** The example's bus. */
export const createBus = (options: {
  readonly storage: Storage<DetectedTransaction>;
  /** Slack's Web API, or the fake's. */
  readonly slackUrl: string;
  /** 32 bytes, in base64. */
  readonly encryptionKey: string;
  readonly logger: Logger;
  readonly system?: System | undefined;
}): CloudTruthBus =>
  createEventBus({
    catalog,
    storage: options.storage,
    handlers: [slack<CloudTruthCatalog>({ templates, app, baseUrl: options.slackUrl }), signed],
    encryptionKeys: [{ id: "example", key: options.encryptionKey }],
    logger: options.logger,
    system: options.system,
  });
