import type { Event, WebhookDisabledData } from "@posthorn/core";
import type { Field, Message } from "./message.ts";
import { code, date, mrkdwn } from "./mrkdwn.ts";

/** What Posthorn tells of another webhook, with all of its reason: it says what to do. */
export function operationalMessage({ type, data }: Event<string, WebhookDisabledData>): Message {
  const { webhook_name: name, reason, failed_attempts: attempts, failing_since: since } = data;
  const lead =
    type === "webhook_disabled"
      ? mrkdwn`:no_entry: *The webhook* ${code(name)} *was switched off.*`
      : mrkdwn`:warning: *The webhook* ${code(name)} *fails,* and is switched off if it goes on for as long again.`;
  const fields: readonly (Field | null)[] = [
    { label: "Reason", value: reason },
    attempts === null ? null : { label: "Failed attempts", value: attempts },
    since === null ? null : { label: "Since", value: date(Date.parse(since)) },
    { label: "Webhook id", value: code(data.webhook_id) },
  ];
  return { lead, fields: fields.filter((field) => field !== null) };
}
