import type { DeliveryOrder, Json, Subscription, SubscriptionStatus } from "@posthorn/core";
import type { RestBus } from "./api.ts";
import type { Body, BodyShape } from "./body.ts";
import { shownDelivery } from "./deliveries.ts";
import { Problem } from "./problems.ts";
import { pageOptions, resultPage } from "./query.ts";
import { type Reference, referenceOf } from "./reference.ts";
import type { Answer, Call } from "./routes.ts";
import { type Urls, wireInstant } from "./wire.ts";

/** A subscription as the API shows it. */
export interface Webhook {
  readonly url: string;
  readonly id: string;
  readonly name: string;
  readonly organization: string;
  readonly event_types: readonly string[];
  readonly type: string;
  /** Secrets are masked. */
  readonly configuration: { readonly [key: string]: Json };
  /** Whether deliveries wait for each other, and what happens when one is dead. */
  readonly order: DeliveryOrder;
  readonly enabled: boolean;
  readonly status: SubscriptionStatus;
  readonly status_detail: string | null;
  readonly status_last_checked_at: string | null;
  readonly disabled_reason: string | null;
  readonly created_at: string;
  readonly modified_at: string;
}

/** A webhook for which a secret was just made. */
export interface WebhookWithSecret extends Webhook {
  /** What signs, or the public key of it: shown this once. */
  readonly secret?: string;
}

/** A webhook whose secret was rotated. */
export interface RotatedWebhook extends Webhook {
  readonly secret: string;
  /** Until then the secret before this one is good, too. */
  readonly previous_secret_expires_at: string;
}

const readOnly = [
  "secret",
  "previous_secret_expires_at",
  "url",
  "id",
  "status",
  "status_detail",
  "status_last_checked_at",
  "disabled_reason",
  "created_at",
  "modified_at",
];

export const creationShape: BodyShape = {
  required: ["name", "event_types", "type", "configuration"],
  optional: ["order", "enabled", "organization"],
  readOnly,
};

export const replacementShape: BodyShape = {
  required: ["name", "event_types", "configuration"],
  optional: ["type", "order", "enabled", "organization"],
  readOnly,
};

export const changeShape: BodyShape = {
  required: [],
  optional: ["name", "event_types", "type", "configuration", "order", "enabled", "organization"],
  readOnly,
};

/** How long the secret before is still good: 24 hours unless said otherwise. */
export const rotationShape: BodyShape = {
  required: [],
  optional: ["overlap_seconds"],
  readOnly: [],
  mayBeEmpty: true,
};

export interface WebhookRoutes {
  list(call: Call): Promise<Answer>;
  create(call: Call): Promise<Answer>;
  get(call: Call): Promise<Answer>;
  change(call: Call): Promise<Answer>;
  replace(call: Call): Promise<Answer>;
  delete(call: Call): Promise<Answer>;
  test(call: Call): Promise<Answer>;
  rotateSecret(call: Call): Promise<Answer>;
  revokePreviousSecrets(call: Call): Promise<Answer>;
}

export function webhookRoutes({ subscriptions }: RestBus): WebhookRoutes {
  /** @throws Problem `type_immutable`, `invalid_webhook` for a type that is no string */
  async function keepType(reference: Reference, { type }: Body): Promise<void> {
    if (type === undefined) return;
    if (typeof type !== "string") {
      throw new Problem("invalid_webhook", {
        errors: [{ pointer: "/type", code: "invalid", detail: "must be a string" }],
      });
    }
    const current = await subscriptions.get(reference);
    if (type === current.type) return;
    throw new Problem("type_immutable", {
      detail: `The type of this webhook is "${current.type}" and cannot change. Create another webhook instead.`,
    });
  }

  return {
    list: async ({ organization, path, query, urls }) => {
      const scope = [organization, path];
      const page = await subscriptions.list({ organization, ...pageOptions(query, scope) });
      const show = (found: Subscription): Webhook => shownWebhook(found, urls);
      return { content: resultPage(page, { query, scope, urls }, show) };
    },

    create: async ({ organization, body, headers, urls }) => {
      const { event_types: eventTypes, name, type, configuration, order, enabled } = claimed(body);
      const input = { organization, name, eventTypes, type, configuration, order, enabled };
      const created = await subscriptions.create(input, {
        idempotencyKey: idempotencyKey(headers),
      });
      const { generatedSecret: secret } = created;
      const webhook = shownWebhook(created, urls);
      const content: WebhookWithSecret = secret === undefined ? webhook : { ...webhook, secret };
      return { content, location: webhook.url };
    },

    get: async (call) => ({
      content: shownWebhook(await subscriptions.get(referenceOf(call)), call.urls),
    }),

    change: async (call) => {
      const { body, urls } = call;
      const reference = referenceOf(call);
      await keepType(reference, body);
      const { name, event_types: eventTypes, configuration, order, enabled } = claimed(body);
      const changes = { name, eventTypes, configuration, order, enabled };
      return { content: shownWebhook(await subscriptions.update(reference, changes), urls) };
    },

    replace: async (call) => {
      const { body, urls } = call;
      const reference = referenceOf(call);
      await keepType(reference, body);
      const { name, event_types: eventTypes, configuration } = claimed(body);
      const { order = "none", enabled = true } = claimed(body);
      const kept = { name, eventTypes, configuration, order, enabled };
      const changes = { ...kept, replaceConfiguration: true };
      return { content: shownWebhook(await subscriptions.update(reference, changes), urls) };
    },

    delete: async (call) => {
      await subscriptions.delete(referenceOf(call));
      return {};
    },

    test: async (call) => {
      const delivery = shownDelivery(await subscriptions.test(referenceOf(call)), call.urls);
      return { content: delivery, location: delivery.url };
    },

    rotateSecret: async (call) => {
      const overlapMs = overlapIn(call.body);
      const rotated = await subscriptions.rotateSecret(referenceOf(call), { overlapMs });
      const content: RotatedWebhook = {
        ...shownWebhook(rotated, call.urls),
        secret: rotated.generatedSecret,
        previous_secret_expires_at: wireInstant(rotated.previousLiveUntil),
      };
      return { content };
    },

    revokePreviousSecrets: async (call) => ({
      content: shownWebhook(
        await subscriptions.revokePreviousSecrets(referenceOf(call)),
        call.urls,
      ),
    }),
  };
}

const LONGEST_OVERLAP_SECONDS = 7 * 24 * 3_600;

/** @throws Problem `invalid_webhook` */
function overlapIn({ overlap_seconds: seconds }: Body): number | undefined {
  if (seconds === undefined) return undefined;
  if (
    Number.isInteger(seconds) &&
    Number(seconds) >= 0 &&
    Number(seconds) <= LONGEST_OVERLAP_SECONDS
  ) {
    return Number(seconds) * 1_000;
  }
  const detail = `must be a whole number from 0 to ${LONGEST_OVERLAP_SECONDS}`;
  throw new Problem("invalid_webhook", {
    errors: [{ pointer: "/overlap_seconds", code: "invalid", detail }],
  });
}

/** What a body claims to be; the bus checks every value, as it does for callers without types. */
const claimed = (body: Body): Wanted => body as Partial<Wanted> as Wanted;

interface Wanted {
  readonly name: string;
  readonly event_types: readonly "*"[];
  readonly type: string;
  readonly configuration: object;
  readonly order?: DeliveryOrder | undefined;
  readonly enabled?: boolean | undefined;
}

/** @throws Problem `invalid_idempotency_key` */
function idempotencyKey(headers: Headers): string | undefined {
  const key = headers.get("idempotency-key");
  if (key === null) return undefined;
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new Problem("invalid_idempotency_key", {
    detail: "Idempotency-Key must be 1 to 255 printable ASCII characters without spaces, once.",
  });
}

function shownWebhook(subscription: Subscription, urls: Urls): Webhook {
  const { id, name, organization, type, configuration, enabled, status } = subscription;
  return {
    url: urls.webhook(id),
    id,
    name,
    organization,
    event_types: subscription.eventTypes,
    type,
    configuration,
    order: subscription.order,
    enabled,
    status,
    status_detail: subscription.statusDetail,
    status_last_checked_at: wireInstant(subscription.statusCheckedAt),
    disabled_reason: subscription.disabledReason,
    created_at: wireInstant(subscription.createdAt),
    modified_at: wireInstant(subscription.updatedAt),
  };
}
