import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { DeliverContext, Handler, Logger, Outcome } from "@posthorn/core";
import type {
  HttpConfiguration,
  HttpConfigurationInput,
  HttpOptions,
} from "@posthorn/handler-http";

export const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/** Options with which the loopback interface can be reached, by address and by any name. */
export const loopback: HttpOptions = {
  guard: { allow: ["127.0.0.1"], http: true, ports: "any" },
  resolve: async () => [{ address: "127.0.0.1", ttl: 60 }],
};

/** What an outcome tells of, as a test looks at it. */
export interface Called {
  readonly type: Outcome["type"];
  readonly reason: string | undefined;
  readonly error: string | null;
  readonly details: Readonly<Record<string, unknown>>;
  readonly outcome: Outcome;
  readonly log: readonly string[];
}

/** Delivers one event with a handler, as core does. */
export async function call(
  handler: Handler<"http", HttpConfigurationInput, HttpConfiguration>,
  input: string | HttpConfigurationInput,
  given: Partial<DeliverContext<HttpConfiguration>> = {},
): Promise<Called> {
  const plain = { secret: SECRET, ...(typeof input === "string" ? { url: input } : input) };
  const parsed = await handler.configuration["~standard"].validate(plain);
  assert.ok(parsed.issues === undefined, `refused: ${JSON.stringify(parsed.issues)}`);
  const log: string[] = [];
  const outcome = await handler.deliver(flight(parsed.value, log, given));
  const details = (outcome.details ?? {}) as Called["details"];
  return {
    type: outcome.type,
    reason: "reason" in outcome ? outcome.reason : undefined,
    error: (details["error"] as string | null | undefined) ?? null,
    details,
    outcome,
    log,
  };
}

function flight(
  configuration: HttpConfiguration,
  log: string[],
  given: Partial<DeliverContext<HttpConfiguration>>,
): DeliverContext<HttpConfiguration> {
  const note = (fields: object): void => void log.push(JSON.stringify(fields));
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const payload = '{"name":"web"}';
  return {
    event: {
      id: randomUUID(),
      type: "project_created",
      organization: "acme",
      occurredAt: Date.UTC(2026, 0, 5, 14, 3),
      actor: null,
      trace: null,
      data: JSON.parse(payload),
      payload,
    },
    configuration,
    subscription: { id: randomUUID(), organization: "acme", name: "Hooks" },
    delivery: { id: randomUUID(), attempt: 1 },
    state: null,
    signal: AbortSignal.timeout(5_000),
    timeoutMs: 5_000,
    logger,
    ...given,
  };
}
