import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import type { FaultAction } from "./faults.ts";

/** An answer, not sent yet. */
export interface Head {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly text: string;
}

/** What can happen to an answer on its way. */
export type Spoiled = Extract<
  FaultAction["type"],
  | "post_then_truncate"
  | "post_then_reset_mid_body"
  | "close_keepalive"
  | "gzip"
  | "bom"
  | "huge_body"
  | "duplicate_header"
>;

const HUGE = 10_000_000;

/** Sends an answer that a client must be able to live with, or to notice. */
export function sendSpoiled(answer: Head, response: ServerResponse, how: Spoiled): void {
  const { status, headers, text } = answer;
  const sendAs = (body: string | Buffer, more: OutgoingHttpHeaders = {}): void => {
    response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body), ...more });
    response.end(body);
  };
  const half = text.slice(0, Math.floor(text.length / 2));
  const { socket } = response;
  switch (how) {
    case "post_then_truncate":
      sendAs(half);
      break;
    case "post_then_reset_mid_body":
      response.writeHead(status, headers);
      response.write(half, () => socket?.resetAndDestroy());
      break;
    case "close_keepalive":
      response.once("finish", () => setImmediate(() => socket?.destroy()));
      sendAs(text, { connection: "keep-alive" });
      break;
    case "gzip":
      sendAs(gzipSync(text), { "content-encoding": "gzip" });
      break;
    case "bom":
      sendAs(`\u{feff}${text}`);
      break;
    case "huge_body":
      sendAs(`{"filler":"${"x".repeat(HUGE)}",${text.slice(1)}`);
      break;
    case "duplicate_header": {
      const id = String(headers["x-slack-req-id"]);
      response.writeHead(status, { ...headers, "x-slack-req-id": [id, id] });
      response.end(text);
    }
  }
}
