import { DELIVERY_ORDERS } from "@posthorn/core";
import { deliveryStatuses, type WebhookAttempt, type WebhookDelivery } from "./deliveries.ts";
import type { WebhookEventType } from "./event-types.ts";
import type { JsonSchema } from "./json-schema.ts";
import { type ProblemBody, type ProblemError, problemCodes } from "./problems.ts";
import type { ResultPage } from "./query.ts";
import type { WebhookReplay } from "./replays.ts";
import type { WebhookType } from "./webhook-types.ts";
import type { Webhook } from "./webhooks.ts";

/** What the API answers, by name. */
export type AnswerSchema =
  | "Webhook"
  | "WebhookWithSecret"
  | "RotatedWebhook"
  | "WebhookPage"
  | "Delivery"
  | "DeliveryWithAttempts"
  | "DeliveryPage"
  | "Replay"
  | "ReplayPage"
  | "WebhookType"
  | "WebhookTypePage"
  | "EventType"
  | "EventTypePage"
  | "Description";

/** A schema for each field that an answer's type has: the compiler sees to it that none is forgotten. */
type Fields<Shape> = { readonly [Field in keyof Shape]-?: JsonSchema };

const text = { type: "string" };
const optionalText = { type: ["string", "null"] };
const url = { type: "string", format: "uri" };
const optionalUrl = { type: ["string", "null"], format: "uri" };
const id = { type: "string", format: "uuid" };
const instant = { type: "string", format: "date-time" };
const optionalInstant = { type: ["string", "null"], format: "date-time" };
const count = { type: "integer", minimum: 0 };
const flag = { type: "boolean" };
const said = (schema: JsonSchema, description: string): JsonSchema => ({ ...schema, description });

/** What both answers and bodies have. */
const written = {
  name: said({ ...text, minLength: 1, maxLength: 256 }, "For people."),
  event_types: said(
    { type: "array", items: text, minItems: 1, maxItems: 100 },
    "Names, and patterns such as `project_*` or `*`, which also match types that are added later.",
  ),
  organization: said(text, "Inferred from the credentials; sent along, it must agree with them."),
  order: said(
    { enum: DELIVERY_ORDERS },
    "Whether deliveries wait for each other, and what happens when one is dead.",
  ),
  enabled: said(flag, "The customer's switch. While it is off, deliveries are kept, not sent."),
};

const webhook: Fields<Webhook> = {
  ...written,
  url,
  id,
  type: said(text, "How it delivers. Cannot change."),
  configuration: said({ type: "object" }, "As its type wants it; secrets are masked."),
  status: said(
    { enum: ["unverified", "ok", "warning", "error"] },
    "What is known of its destination.",
  ),
  status_detail: optionalText,
  status_last_checked_at: optionalInstant,
  disabled_reason: said(optionalText, "Why it was switched off, if nobody did."),
  created_at: instant,
  modified_at: instant,
};

const delivery: Fields<WebhookDelivery> = {
  url,
  id,
  webhook: url,
  webhook_id: id,
  event_id: said(id, "The `webhook-id` of what is sent."),
  event_type: text,
  type: text,
  status: { enum: deliveryStatuses },
  in_flight: flag,
  next_attempt_at: optionalInstant,
  attempt_count: count,
  throttle_count: count,
  lapse_count: count,
  reason: optionalText,
  redelivery_of: optionalUrl,
  created_at: instant,
  completed_at: optionalInstant,
};

const attempt: Fields<WebhookAttempt> = {
  started_at: instant,
  duration_ms: { type: "integer" },
  outcome: { enum: ["delivered", "failed", "throttled", "rejected", "gone", "unknown"] },
  counted: said(flag, "Whether it counts against the schedule."),
  late: said(flag, "Whether its result came too late to matter."),
  reason: optionalText,
  remedy: said(optionalText, "What to do about it."),
  details: said({}, "What else is known: a status, a part of the answer."),
};

const replay: Fields<WebhookReplay> = {
  url,
  id,
  webhook: url,
  webhook_id: id,
  from: instant,
  until: instant,
  which: text,
  status: text,
  redelivered_count: count,
  created_at: instant,
  ended_at: optionalInstant,
};

const eventType: Fields<WebhookEventType> = {
  url,
  name: text,
  description: optionalText,
  schema: said({ type: "object" }, "JSON Schema of the data."),
  example: said({}, "Data as it is delivered."),
};

const webhookType: Fields<WebhookType> = {
  url,
  type: text,
  description: optionalText,
  configuration: said({ type: "object" }, "JSON Schema of the `configuration`."),
  secrets: said({ type: "array", items: text }, "Keys that are stored encrypted."),
  instructions: said({ type: "array", items: text }, "What to do at the destination before."),
  manifest: said({}, "What the instructions say to paste there."),
  install_url: said(optionalUrl, "Does the first steps."),
};

const problemError: Fields<ProblemError> = {
  pointer: said(text, "Where in the body: a JSON pointer (RFC 6901)."),
  parameter: said(text, "Which query parameter."),
  code: text,
  detail: text,
};

const problem: Fields<ProblemBody> = {
  type: text,
  title: text,
  status: { type: "integer" },
  code: said({ enum: problemCodes }, "Stable."),
  detail: said(text, "What happened, and what to do."),
  reference: said(text, "Names the log line of an unexpected failure."),
  errors: {
    type: "array",
    items: object(problemError, ["code", "detail"]),
  },
};

function object(properties: object, required = Object.keys(properties)): JsonSchema {
  return { type: "object", properties, required };
}

const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

const page = (name: string): JsonSchema => {
  const fields: Fields<ResultPage<unknown>> = {
    next: said(optionalUrl, "Older results; null at the end."),
    previous: said(optionalUrl, "Newer results; null at the beginning."),
    results: { type: "array", items: ref(name) },
  };
  return object(fields);
};

const secret = said(
  text,
  "What signs (`whsec_…`), or the public key that verifies (`whpk_…`). Shown this once.",
);

export const answerSchemas: { readonly [Name in AnswerSchema | "Problem"]: JsonSchema } = {
  Webhook: object(webhook),
  WebhookWithSecret: object({ ...webhook, secret }, Object.keys(webhook)),
  RotatedWebhook: object({ ...webhook, secret, previous_secret_expires_at: instant }),
  WebhookPage: page("Webhook"),
  Delivery: object(delivery),
  DeliveryWithAttempts: object({
    ...delivery,
    attempts: said({ type: "array", items: object(attempt) }, "Oldest first."),
  }),
  DeliveryPage: page("Delivery"),
  Replay: object(replay),
  ReplayPage: page("Replay"),
  WebhookType: object(webhookType),
  WebhookTypePage: page("WebhookType"),
  EventType: object(eventType),
  EventTypePage: page("EventType"),
  Description: said({ type: "object" }, "An OpenAPI 3.1 document."),
  Problem: object(problem, ["type", "title", "status", "code", "detail"]),
};

/** What a field of a body is; `type` and `configuration` depend on the handlers. */
export const bodySchemas: Readonly<Record<string, JsonSchema>> = {
  ...written,
  overlap_seconds: said(
    { type: "integer", minimum: 0, maximum: 604_800, default: 86_400 },
    "For how long the secret before is good, too.",
  ),
  from: instant,
  until: instant,
  which: said(text, "Which of the deliveries."),
};
