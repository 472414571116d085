import type { AnswerSchema } from "./answer-schemas.ts";
import type { Body, BodyShape } from "./body.ts";
import type { DeliveryRoutes } from "./deliveries.ts";
import { deliveryStatuses } from "./deliveries.ts";
import type { EventTypeRoutes } from "./event-types.ts";
import type { DescriptionRoutes } from "./openapi.ts";
import { pageParameters, type Query, type QueryParameter } from "./query.ts";
import { type ReplayRoutes, replayShape } from "./replays.ts";
import type { WebhookTypeRoutes } from "./webhook-types.ts";
import {
  changeShape,
  creationShape,
  replacementShape,
  rotationShape,
  type WebhookRoutes,
} from "./webhooks.ts";
import type { Urls } from "./wire.ts";

/** What a caller may be allowed to do; several routes can be one action. */
export type Action =
  | "webhooks.read"
  | "webhooks.write"
  | "deliveries.read"
  | "deliveries.write"
  | "event_types.read";

/** One thing that can be asked of the API. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below the base path, with `{parameters}`; what is no file has a slash at its end. */
  readonly path: string;
  /** Its name in descriptions, for programs. */
  readonly operation: string;
  readonly action: Action;
  readonly summary: string;
  readonly query: readonly QueryParameter[];
  /** Null where a body has nothing to say; an empty one is fine there. */
  readonly body: BodyShape | null;
  /** The status of success. */
  readonly status: 200 | 201 | 202 | 204;
  /** What success answers; null if nothing. */
  readonly answer: AnswerSchema | null;
  handle(call: Call): Promise<Answer>;
}

/** A request that was understood, from a caller who may make it. */
export interface Call {
  readonly organization: string;
  readonly headers: Headers;
  /** The path below the base path, with a slash at its end. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly urls: Urls;
}

export interface Answer {
  /** JSON; absent for an answer without content. */
  readonly content?: object;
  /** The absolute URL of what was made. */
  readonly location?: string;
}

/** Everything that the API answers. Routing, methods and descriptions all come from this table. */
export const routeTable = ({
  webhooks,
  webhookTypes,
  deliveries,
  replays,
  eventTypes,
  description,
}: {
  readonly webhooks: WebhookRoutes;
  readonly webhookTypes: WebhookTypeRoutes;
  readonly deliveries: DeliveryRoutes;
  readonly replays: ReplayRoutes;
  readonly eventTypes: EventTypeRoutes;
  readonly description: DescriptionRoutes;
}): readonly Route[] => [
  {
    method: "GET",
    path: "/webhooks/",
    operation: "listWebhooks",
    action: "webhooks.read",
    summary: "List webhooks, newest first",
    query: pageParameters,
    body: null,
    status: 200,
    answer: "WebhookPage",
    handle: webhooks.list,
  },
  {
    method: "POST",
    path: "/webhooks/",
    operation: "createWebhook",
    action: "webhooks.write",
    summary: "Create a webhook",
    query: [],
    body: creationShape,
    status: 201,
    answer: "WebhookWithSecret",
    handle: webhooks.create,
  },
  // Before what has an {id} there: the first path that fits is taken.
  {
    method: "GET",
    path: "/webhooks/types/",
    operation: "listWebhookTypes",
    action: "webhooks.read",
    summary: "List the types that webhooks can have",
    query: [],
    body: null,
    status: 200,
    answer: "WebhookTypePage",
    handle: webhookTypes.list,
  },
  {
    method: "GET",
    path: "/webhooks/types/{type}/",
    operation: "getWebhookType",
    action: "webhooks.read",
    summary: "Get a type: its configuration, and how to come by it",
    query: [],
    body: null,
    status: 200,
    answer: "WebhookType",
    handle: webhookTypes.get,
  },
  {
    method: "GET",
    path: "/webhooks/{id}/",
    operation: "getWebhook",
    action: "webhooks.read",
    summary: "Get a webhook",
    query: [],
    body: null,
    status: 200,
    answer: "Webhook",
    handle: webhooks.get,
  },
  {
    method: "PATCH",
    path: "/webhooks/{id}/",
    operation: "changeWebhook",
    action: "webhooks.write",
    summary: "Change what is given of a webhook",
    query: [],
    body: changeShape,
    status: 200,
    answer: "Webhook",
    handle: webhooks.change,
  },
  {
    method: "PUT",
    path: "/webhooks/{id}/",
    operation: "replaceWebhook",
    action: "webhooks.write",
    summary: "Replace a webhook",
    query: [],
    body: replacementShape,
    status: 200,
    answer: "Webhook",
    handle: webhooks.replace,
  },
  {
    method: "DELETE",
    path: "/webhooks/{id}/",
    operation: "deleteWebhook",
    action: "webhooks.write",
    summary: "Delete a webhook",
    query: [],
    body: null,
    status: 204,
    answer: null,
    handle: webhooks.delete,
  },
  {
    method: "POST",
    path: "/webhooks/{id}/test/",
    operation: "testWebhook",
    action: "deliveries.write",
    summary: "Send a test event to a webhook",
    query: [],
    body: null,
    status: 202,
    answer: "Delivery",
    handle: webhooks.test,
  },
  {
    method: "POST",
    path: "/webhooks/{id}/rotate-secret/",
    operation: "rotateWebhookSecret",
    action: "webhooks.write",
    summary: "Give a webhook a new secret",
    query: [],
    body: rotationShape,
    status: 200,
    answer: "RotatedWebhook",
    handle: webhooks.rotateSecret,
  },
  {
    method: "POST",
    path: "/webhooks/{id}/revoke-previous-secret/",
    operation: "revokePreviousWebhookSecrets",
    action: "webhooks.write",
    summary: "End all secrets of a webhook but the newest",
    query: [],
    body: null,
    status: 200,
    answer: "Webhook",
    handle: webhooks.revokePreviousSecrets,
  },
  {
    method: "GET",
    path: "/webhooks/{id}/deliveries/",
    operation: "listDeliveries",
    action: "deliveries.read",
    summary: "List the deliveries of a webhook, newest first",
    query: [
      { name: "status", description: "Only deliveries that stand so.", values: deliveryStatuses },
      ...pageParameters,
    ],
    body: null,
    status: 200,
    answer: "DeliveryPage",
    handle: deliveries.list,
  },
  {
    method: "GET",
    path: "/webhooks/{id}/deliveries/{delivery_id}/",
    operation: "getDelivery",
    action: "deliveries.read",
    summary: "Get a delivery with its attempts",
    query: [],
    body: null,
    status: 200,
    answer: "DeliveryWithAttempts",
    handle: deliveries.get,
  },
  {
    method: "POST",
    path: "/webhooks/{id}/deliveries/{delivery_id}/redeliver/",
    operation: "redeliver",
    action: "deliveries.write",
    summary: "Deliver the same event again",
    query: [],
    body: null,
    status: 202,
    answer: "Delivery",
    handle: deliveries.redeliver,
  },
  {
    method: "POST",
    path: "/webhooks/{id}/deliveries/{delivery_id}/cancel/",
    operation: "cancelDelivery",
    action: "deliveries.write",
    summary: "Cancel a pending delivery",
    query: [],
    body: null,
    status: 200,
    answer: "Delivery",
    handle: deliveries.cancel,
  },
  {
    method: "GET",
    path: "/webhooks/{id}/replays/",
    operation: "listReplays",
    action: "deliveries.read",
    summary: "List the replays of a webhook, newest first",
    query: pageParameters,
    body: null,
    status: 200,
    answer: "ReplayPage",
    handle: replays.list,
  },
  {
    method: "POST",
    path: "/webhooks/{id}/replays/",
    operation: "createReplay",
    action: "deliveries.write",
    summary: "Deliver again what the webhook was owed in some time",
    query: [],
    body: replayShape,
    status: 202,
    answer: "Replay",
    handle: replays.create,
  },
  {
    method: "GET",
    path: "/webhooks/{id}/replays/{replay_id}/",
    operation: "getReplay",
    action: "deliveries.read",
    summary: "Get a replay",
    query: [],
    body: null,
    status: 200,
    answer: "Replay",
    handle: replays.get,
  },
  {
    method: "POST",
    path: "/webhooks/{id}/replays/{replay_id}/cancel/",
    operation: "endReplay",
    action: "deliveries.write",
    summary: "End a replay",
    query: [],
    body: null,
    status: 200,
    answer: "Replay",
    handle: replays.cancel,
  },
  {
    method: "GET",
    path: "/event-types/",
    operation: "listEventTypes",
    action: "event_types.read",
    summary: "List the event types that webhooks can have",
    query: [],
    body: null,
    status: 200,
    answer: "EventTypePage",
    handle: eventTypes.list,
  },
  {
    method: "GET",
    path: "/event-types/{name}/",
    operation: "getEventType",
    action: "event_types.read",
    summary: "Get an event type",
    query: [],
    body: null,
    status: 200,
    answer: "EventType",
    handle: eventTypes.get,
  },
  {
    method: "GET",
    path: "/openapi.json",
    operation: "getDescription",
    action: "event_types.read",
    summary: "Get the OpenAPI description of all this",
    query: [],
    body: null,
    status: 200,
    answer: "Description",
    handle: description.get,
  },
];
