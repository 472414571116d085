import type {
  EventType,
  OperationalEventType,
  WebhookDisabledData,
  WebhookFailingData,
} from "@posthorn/core";
import * as v from "valibot";

const webhook = { webhook_id: v.string(), webhook_name: v.string(), reason: v.string() };
const disabled: v.GenericSchema<WebhookDisabledData> = v.object({
  ...webhook,
  failed_attempts: v.nullable(v.number()),
  failing_since: v.nullable(v.pipe(v.string(), v.isoTimestamp())),
});
const failing: v.GenericSchema<WebhookFailingData> = v.object({
  ...webhook,
  failed_attempts: v.number(),
  failing_since: v.pipe(v.string(), v.isoTimestamp()),
});

const example = {
  webhook_id: "019b76da-a800-7001-adfe-747d23673f27",
  webhook_name: "Releases",
  failing_since: "2026-01-05T14:03:00.000Z",
};

/** Event types that no catalog has: webhooks ask for them by their names. */
export const operationalCatalog: { readonly [Name in OperationalEventType]: EventType } = {
  webhook_disabled: {
    description: "Another webhook was switched off, since nothing can arrive there.",
    schema: disabled,
    example: {
      ...example,
      reason:
        "100 attempts have failed since 2026-01-05T14:03:00.000Z, and none succeeded. Repair the destination, then switch it on again: what waits is kept.",
      failed_attempts: 100,
    },
  },
  webhook_failing: {
    description: "Another webhook fails, and is switched off if it goes on for as long again.",
    schema: failing,
    example: { ...example, reason: "HTTP 503", failed_attempts: 50 },
  },
};
