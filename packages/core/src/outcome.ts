import type { Json } from "./event.ts";
import type { Outcome } from "./handler.ts";
import { writeJson } from "./json.ts";
import { describe, redactJson, safeText } from "./redact.ts";
import type { Doubt } from "./retry.ts";

/** The most JSON that a handler may have remembered, in characters. */
const LONGEST_JSON = 16_384;

/**
 * What a handler returned, as an outcome that is safe to record: exactly the known fields, secrets
 * masked, texts and JSON bounded. Anything that is not an outcome becomes `failed`.
 */
export function toOutcome(returned: unknown, secrets: readonly string[]): Outcome {
  try {
    return read(returned as { [field: string]: unknown }, secrets);
  } catch (error) {
    return notAnOutcome(describe(error), secrets);
  }
}

function read(returned: { [field: string]: unknown } | null, secrets: readonly string[]): Outcome {
  if (typeof returned !== "object" || returned === null) {
    return notAnOutcome(`it returned ${returned === null ? "null" : typeof returned}`, secrets);
  }
  const { type, retryAfterMs } = returned;
  const gate = typeof returned["gate"] === "string" ? returned["gate"] : undefined;
  const text = (value: unknown): string | undefined =>
    typeof value === "string" ? safeText(value, secrets) : undefined;
  const note = {
    remedy: text(returned["remedy"]),
    details: json(returned["details"], secrets),
    state: json(returned["state"], secrets),
  };
  const reason = text(returned["reason"]) ?? "no reason was given";
  switch (type) {
    case "delivered":
      return { type, ...note, warning: text(returned["warning"]) };
    case "failed":
      return { type, ...note, reason, retryAfterMs: milliseconds(retryAfterMs), gate };
    case "throttled":
      return { type, ...note, reason, retryAfterMs: milliseconds(retryAfterMs) ?? 0, gate };
    case "unknown":
      return { type, ...note, reason, gate, doubt: doubt(returned["doubt"]) };
    case "gone":
      return { type, ...note, reason, gate };
    case "rejected":
      return { type, ...note, reason };
    default:
      return notAnOutcome(`it returned an object whose type is ${JSON.stringify(type)}`, secrets);
  }
}

const notAnOutcome = (why: string, secrets: readonly string[]): Outcome => ({
  type: "failed",
  reason: safeText(`The handler did not report an outcome: ${why}`, secrets),
  remedy:
    "Handlers answer with delivered(), failed(), throttled(), rejected(), gone() or unknown().",
});

/** A copy of JSON with secrets masked; undefined for anything else, and for too much of it. */
function json(value: unknown, secrets: readonly string[]): Json | undefined {
  if (value === undefined) return undefined;
  try {
    const text = writeJson(value);
    return text.length > LONGEST_JSON ? undefined : redactJson(JSON.parse(text), secrets);
  } catch {
    return undefined;
  }
}

const doubt = (value: unknown): Doubt | undefined =>
  value === "retry" || value === "abandon" ? value : undefined;

const milliseconds = (value: unknown): number | undefined =>
  typeof value === "number" && value >= 0 ? value : undefined;
