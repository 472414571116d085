import assert from "node:assert/strict";
import type {
  BatchContext,
  DeliverContext,
  DeliverItem,
  Gate,
  Json,
  Logger,
  Outcome,
  Verification,
} from "@posthorn/core";
import type { Destination, HandlerHarness } from "../handler.ts";
import { newId } from "../storage/stage.ts";

/** What a case about a handler has at hand. */
export interface Course extends Pick<HandlerHarness, "handler" | "configuration" | "received"> {
  /** The secrets of the configuration, as they are. */
  readonly secrets: readonly string[];
  /** Has the destination behave so from now on; false if the harness cannot make it. */
  behave(behaviour: keyof Destination): Promise<boolean>;
  issuesOf(input: unknown): Promise<readonly { readonly key: string; readonly message: string }[]>;
  gates(): Promise<readonly Gate[]>;
  verify(): Promise<Verification | null>;
  deliver(given?: Partial<DeliverContext>): Promise<Flown>;
  /** Delivers several events at once; by default, as many as the handler takes. */
  batch(given?: Partial<BatchContext>): Promise<Flown>;
  /** How many events that is; 0 if it takes no more than one. */
  readonly most: number;
}

/** How one call ended. */
export interface Flown {
  readonly outcome: Outcome;
  /** Everything that the handler logged meanwhile. */
  readonly log: readonly unknown[];
}

const TIMEOUT_MS = 10_000;

export function courseOf(harness: HandlerHarness): Course {
  const { handler, configuration, destination, received } = harness;
  const parsed = async (): Promise<unknown> => {
    const result = await handler.configuration["~standard"].validate(configuration);
    if (result.issues === undefined) return result.value;
    return assert.fail(`the harness's configuration is refused: ${JSON.stringify(result.issues)}`);
  };
  return {
    handler,
    configuration,
    received: () => received(),
    secrets: (handler.secrets ?? []).map((key) => String(configuration[key])),
    behave: async (behaviour) => {
      await destination[behaviour]?.();
      return destination[behaviour] !== undefined;
    },
    issuesOf: async (input) => {
      const { issues = [] } = await handler.configuration["~standard"].validate(input);
      return issues.map(({ message, path: [segment = ""] = [] }) => ({
        key: String(typeof segment === "object" ? segment.key : segment),
        message,
      }));
    },
    gates: async () => handler.gates?.(await parsed()) ?? [],
    verify: async () => {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      return (
        (await handler.verify?.(await parsed(), {
          organization: "acme",
          signal,
          logger: loggerTo([]),
        })) ?? null
      );
    },
    most: handler.batch?.max ?? 0,
    deliver: (given) =>
      flown(async (logger) =>
        handler.deliver({ ...aFlight(), configuration: await parsed(), logger, ...given }),
      ),
    batch: (given) =>
      flown(async (logger) => {
        if (handler.batch === undefined) return assert.fail("the handler has no `batch`");
        const { event: _event, delivery: _delivery, ...common } = aFlight();
        const items = itemsOf(handler.batch.max);
        const configuration = await parsed();
        return handler.batch.deliver({ ...common, items, configuration, logger, ...given });
      }),
  };
}

async function flown(call: (logger: Logger) => Promise<Outcome>): Promise<Flown> {
  const log: unknown[] = [];
  return { outcome: await call(loggerTo(log)), log };
}

/** So many deliveries of different events. */
export const itemsOf = (count: number): readonly DeliverItem[] =>
  Array.from({ length: count }, (_, nr) => {
    const { event, delivery } = aFlight({ data: { id: `t-${nr}`, name: `Thing ${nr}` } });
    return { event, delivery };
  });

/** What a handler is given for one delivery, but for what only the harness knows. */
export function aFlight(
  event: Partial<DeliverContext["event"]> = {},
): Omit<DeliverContext, "configuration" | "logger"> {
  const { data = { id: "t-1", name: "Thing" } } = event;
  return {
    event: {
      id: newId(),
      type: "thing_made",
      organization: "acme",
      occurredAt: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
      actor: null,
      trace: null,
      ...event,
      data,
      payload: JSON.stringify(data),
    },
    subscription: { id: newId(), organization: "acme", name: "A subscription" },
    delivery: { id: newId(), attempt: 1 },
    state: null,
    signal: new AbortController().signal,
    timeoutMs: TIMEOUT_MS,
  };
}

/** Texts that markup, logs, headers and databases have stumbled over. */
export const strangeTexts: readonly string[] = [
  "",
  " \t\r\n",
  "<!channel> <@U123> <https://example.com|click> & *bold* `code` ```",
  "<script>alert(1)</script> {{x}} %s %00 ' \" \\ -- ;",
  "Zoë \u{1f4ef}\u{1f469}\u200d\u{1f680} \u202eright-to-left\u202c e\u0301 \ud800",
  "\u0000\u0007\u001b[31m",
  "x".repeat(100_000),
];

export const strangeData: readonly Json[] = [
  null,
  true,
  0,
  -0.1e-300,
  [],
  {},
  "",
  ["<!channel>", null, [[[]]]],
  Object.fromEntries(strangeTexts.map((text, index) => [`key_${index}`, text])),
  Object.fromEntries(strangeTexts.map((text) => [text, 1])),
  Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`key_${index}`, { n: index }])),
  JSON.parse('{"__proto__":{"a":1},"constructor":1,"toString":null}'),
  JSON.parse(`${"[".repeat(60)}${"]".repeat(60)}`),
];

const loggerTo = (log: unknown[]): Logger => {
  const note = (fields: object, message: string): void => void log.push({ ...fields, message });
  return { debug: note, info: note, warn: note, error: note };
};
