import { DELIVERY_ORDERS, type ReplayStatus } from "@posthorn/core";
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
const optionalText = { type: ["string", "null"], examples: [null] };
const url = {
  type: "string",
  format: "uri",
  examples: ["https://api.example.com/api/v1/webhooks/019b76da-a800-7001-adfe-747d23673f27/"],
};
const optionalUrl = { type: ["string", "null"], format: "uri", examples: [null] };
const id = {
  type: "string",
  format: "uuid",
  examples: ["019b76da-a800-7001-adfe-747d23673f27"],
};
const instant = { type: "string", format: "date-time", examples: ["2026-01-05T14:03:00.000Z"] };
const optionalInstant = { ...instant, type: ["string", "null"] };
const count = { type: "integer", minimum: 0 };
const flag = { type: "boolean" };
const said = (schema: JsonSchema, description: string): JsonSchema => ({ ...schema, description });

/** What both answers and bodies have. */
const written = {
  name: said({ ...text, minLength: 1, maxLength: 256, examples: ["Releases"] }, "For people."),
  event_types: said(
    { type: "array", items: text, minItems: 1, maxItems: 100, examples: [["*"]] },
    "Names, and patterns such as `project_*` or `*`, which also match types that are added later.",
  ),
  organization: said(
    { ...text, examples: ["acme"] },
    "Inferred from the credentials; sent along, it must agree with them.",
  ),
  order: said(
    { type: "string", enum: DELIVERY_ORDERS },
    "Whether deliveries wait for each other, and what happens when one is dead.",
  ),
  enabled: said(flag, "The customer's switch. While it is off, deliveries are kept, not sent."),
};

const webhook: Fields<Webhook> = {
  ...written,
  url,
  id,
  type: said({ ...text, examples: ["http"] }, "How it delivers. Cannot change."),
  configuration: said(
    {
      type: "object",
      examples: [{ url: "https://hooks.example.com/events", secret: "********" }],
    },
    "As its type wants it; secrets are masked.",
  ),
  status: said(
    { type: "string", enum: ["unverified", "ok", "warning", "error"], examples: ["ok"] },
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
  status: { type: "string", enum: deliveryStatuses },
  in_flight: said(flag, "Whether an attempt is being made."),
  next_attempt_at: said(optionalInstant, "Null if none is to come."),
  attempt_count: said(count, "How often it was tried."),
  throttle_count: said(
    count,
    "How often the destination asked to wait; no attempt is spent on it.",
  ),
  lapse_count: said(count, "How often an attempt ended without an outcome: its process died."),
  reason: said(optionalText, "Why it is where it is; null if there is nothing to say."),
  redelivery_of: said(optionalUrl, "The delivery that this one repeats."),
  created_at: instant,
  completed_at: optionalInstant,
};

const attempt: Fields<WebhookAttempt> = {
  started_at: instant,
  duration_ms: count,
  outcome: {
    type: "string",
    enum: ["delivered", "failed", "throttled", "rejected", "gone", "unknown"],
  },
  counted: said(flag, "Whether it counts against the schedule."),
  late: said(flag, "Whether its result came too late to matter."),
  reason: optionalText,
  remedy: said(optionalText, "What to do about it."),
  details: said({}, "What else is known: a status, a part of the answer."),
};

const which = said(
  { type: "string", enum: ["dead", "all"] },
  "Which of the deliveries: those that have died, or all.",
);

const replayStatuses = ["running", "done", "canceled"] as const;

const replay: Fields<WebhookReplay> = {
  url,
  id,
  webhook: url,
  webhook_id: id,
  from: instant,
  until: instant,
  which,
  status: { type: "string", enum: replayStatuses satisfies readonly ReplayStatus[] },
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
  code: said({ type: "string", enum: problemCodes }, "Stable."),
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
  { ...text, examples: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] },
  "What signs (`whsec_…`), or the public key that verifies (`whpk_…`). Shown this once.",
);

/** What an answer is, in words. */
export const answerTexts: Readonly<Record<AnswerSchema, string>> = {
  Webhook: "The webhook as it is now.",
  WebhookWithSecret: "The webhook, and its secret if one was made for it.",
  RotatedWebhook: "The webhook and its new secret.",
  WebhookPage: "A page of webhooks.",
  Delivery: "The delivery.",
  DeliveryWithAttempts: "The delivery, and each attempt that was made.",
  DeliveryPage: "A page of deliveries.",
  Replay: "The replay.",
  ReplayPage: "A page of replays.",
  WebhookType: "The type.",
  WebhookTypePage: "The types.",
  EventType: "The event type.",
  EventTypePage: "The event types.",
  Description: "The description.",
};

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
  which: { ...which, default: "dead" },
};
