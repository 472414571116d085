export {
  type Caller,
  createRestApi,
  type RestApi,
  type RestApiOptions,
  type RestBus,
} from "./api.ts";
export type { Action } from "./routes.ts";

// What the API answers.
export type { RotatedWebhook, Webhook, WebhookWithSecret } from "./webhooks.ts";
export type {
  WebhookAttempt,
  WebhookDelivery,
  WebhookDeliveryWithAttempts,
} from "./deliveries.ts";
export type { WebhookEventType } from "./event-types.ts";
export type { WebhookType } from "./webhook-types.ts";
export type { JsonSchema } from "./json-schema.ts";
export type { ResultPage } from "./query.ts";
export type { ProblemBody, ProblemCode, ProblemError } from "./problems.ts";
export type { WebhookReplay } from "./replays.ts";
