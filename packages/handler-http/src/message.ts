import type { Event } from "@posthorn/core";
import type { Format } from "./configuration.ts";

/** What is sent: bytes, and the headers that say what they are. */
export interface HttpMessage {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a host makes of an event, in place of the format that the customer chose. */
export interface Transformed {
  readonly body: string | Uint8Array;
  /** Default `application/json`. */
  readonly contentType?: string | undefined;
}

type Sent = Event & { readonly payload: string };

/**
 * An event in a format. The data is the text that was stored, unread and unchanged; so an attempt
 * sends the same bytes as the one before.
 */
export function writeMessage(event: Sent, format: Format, source: string): HttpMessage {
  const { id, type, payload } = event;
  const time = new Date(event.occurredAt).toISOString();
  switch (format) {
    case "standard":
      return json(
        `{"type":${JSON.stringify(type)},"timestamp":"${time}","data":${payload}}`,
        "application/json",
      );
    // https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
    case "cloudevents":
      return json(
        `{"specversion":"1.0","id":${JSON.stringify(id)},"source":${JSON.stringify(source)},"type":${JSON.stringify(type)},"time":"${time}","datacontenttype":"application/json","data":${payload}}`,
        "application/cloudevents+json; charset=utf-8",
      );
    // https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
    case "cloudevents_binary": {
      const message = json(payload, "application/json");
      const headers = {
        ...message.headers,
        "ce-specversion": "1.0",
        "ce-id": id,
        "ce-source": source,
        "ce-type": type,
        "ce-time": time,
      };
      return { ...message, headers };
    }
  }
}

/** @throws TypeError for what is no message */
export function transformedMessage({
  body,
  contentType = "application/json",
}: Transformed): HttpMessage {
  if (typeof body !== "string" && !(body instanceof Uint8Array)) {
    throw new TypeError("it returned no message, which is { body, contentType? }");
  }
  if (!/^[\x20-\x7e]+$/.test(contentType))
    throw new TypeError("its contentType is no header's value");
  return typeof body === "string"
    ? json(body, contentType)
    : { body, headers: { "content-type": contentType } };
}

const json = (text: string, contentType: string): HttpMessage => ({
  body: Buffer.from(text),
  headers: { "content-type": contentType },
});
