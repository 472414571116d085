import type { Event, WebhookDisabledData } from "@posthorn/core";
import { expect, it } from "vitest";
import { layOut } from "./message.ts";
import { messageFor } from "./template.ts";

function read(type: string, more: Partial<WebhookDisabledData>): readonly string[] {
  const data: WebhookDisabledData = {
    webhook_id: "019b76da-a800-7001-adfe-747d23673f27",
    webhook_name: "<!channel> *Deploys*",
    reason: "channel_not_found. Choose another channel.",
    failed_attempts: null,
    failing_since: null,
    ...more,
  };
  const event: Event = {
    id: "e1",
    type,
    organization: "acme",
    occurredAt: Date.UTC(2026, 0, 10),
    data,
    actor: null,
    trace: null,
  };
  const origin = { ...event, deliveryId: "d1", attempt: 1, sender: null };
  const { text, blocks } = layOut(messageFor(event, { name: "Alarms" }, {}), origin);
  expect(JSON.stringify(blocks)).not.toContain("<!channel>");
  return text.split("\n").slice(0, -1);
}

it("a webhook that was switched off is told with the whole reason, which says what to do", () => {
  const reason = `Delivery 019b76da ("project_created") could not be made: ${"HTTP 400 ".repeat(40)}. Switch the webhook on to try it again.`;
  expect(read("webhook_disabled", { reason })).toEqual([
    "The webhook &lt;!channel&gt; *Deploys* was switched off.",
    `Reason: ${reason}`,
    "Webhook id: 019b76da-a800-7001-adfe-747d23673f27",
  ]);
});

it("a webhook that fails is told with how often and since when", () => {
  const failing = { failed_attempts: 50, failing_since: "2026-01-05T14:03:00.000Z" };
  expect(read("webhook_failing", { reason: "HTTP 503", ...failing })).toEqual([
    "The webhook &lt;!channel&gt; *Deploys* fails, and is switched off if it goes on for as long again.",
    "Reason: HTTP 503",
    "Failed attempts: 50",
    "Since: 2026-01-05 14:03 UTC",
    "Webhook id: 019b76da-a800-7001-adfe-747d23673f27",
  ]);
});
