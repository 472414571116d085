import type { Catalog, CatalogEvent, Event, EventName, WebhookDisabledData } from "@posthorn/core";
import { genericMessage, testMessage } from "./generic.ts";
import type { Message } from "./message.ts";
import { operationalMessage } from "./operational.ts";

/**
 * A host's own messages, by event type; what has none is rendered generically. Without a catalog
 * any event type may be named, and its data is `unknown`.
 */
export type Templates<C extends Catalog = Catalog> =
  string extends EventName<C>
    ? { readonly [type: string]: (event: Event) => Message }
    : { readonly [Name in EventName<C>]?: (event: CatalogEvent<C, Name>) => Message };

/**
 * The message for an event: its template's, Posthorn's own for its own, or the generic one.
 *
 * @throws whatever the template throws, and TypeError if it returns no message.
 */
export function messageFor(
  event: Event,
  subscription: { readonly name: string },
  templates: Templates,
): Message {
  const template = Object.hasOwn(templates, event.type) ? templates[event.type] : undefined;
  if (template !== undefined) return checked(template(event));
  switch (event.type) {
    case "webhook_test":
      return testMessage(subscription);
    case "webhook_disabled":
    case "webhook_failing":
      return operationalMessage(event as Event<typeof event.type, WebhookDisabledData>);
    default:
      return genericMessage(event);
  }
}

function checked(message: Message | null | undefined): Message {
  if (message?.lead !== undefined) return message;
  throw new TypeError("it returned no message, which is { lead, fields?, context? }");
}
