import {
  type BatchContext,
  defineHandler,
  delivered,
  failed,
  type Gate,
  gone,
  type Handler,
  type Outcome,
  rejected,
  throttled,
  unknown,
} from "@posthorn/core";
import { optional, strictObject, string } from "valibot";
import type { Chance } from "../crash/chance.ts";
import type { Life } from "./life.ts";
import { type Entry, labelOf } from "./log.ts";
import type { HandlerType, Plan } from "./plan.ts";
import type { Answer, Receiver } from "./receiver.ts";
import type { World } from "./world.ts";

/** How long each kind may take. */
export const timeouts: Readonly<Record<HandlerType, number>> = {
  post: 4_000,
  chat: 2_000,
  plain: 5_000,
};

const configuration = strictObject({
  url: string(),
  tag: string(),
  secret: optional(string()),
});

interface Configured {
  readonly url: string;
  readonly tag: string;
  readonly secret?: string | undefined;
}

/** What a configuration shares with others. */
const gates: Readonly<Record<HandlerType, (configured: Configured) => readonly Gate[]>> = {
  post: ({ url }) => [{ name: "host", key: url }],
  chat: ({ url }) => [
    { name: "channel", key: url, limit: 2, perMs: 1_000, burst: 2 },
    { name: "workspace", key: "all", limit: 10, perMs: 1_000, burst: 4 },
  ],
  plain: () => [],
};

/** Real handlers of one process, whose network is the simulated one. */
export function createHandlers(
  life: Life,
  types: readonly HandlerType[],
  options: {
    readonly together: Plan["settings"]["together"];
    readonly world: World;
    readonly chance: Chance;
    readonly receiver: Receiver;
    readonly write: (entry: Entry) => void;
    /** Called as soon as a handler has an event in its hands. */
    readonly onSent: (life: Life, label: string) => void;
  },
): readonly Handler[] {
  const { together, world, chance, receiver, write, onSent } = options;

  async function deliver(type: HandlerType, context: BatchContext<Configured>): Promise<Outcome> {
    const { subscription, signal } = context;
    const items = context.items.map(({ event, delivery }) => ({
      deliveryId: delivery.id,
      eventId: event.id,
      label: labelOf(event.id, event.payload),
    }));
    const sentAt = world.now;
    const { url, tag, secret = null } = context.configuration;
    const { sends, answer } = receiver.send(life, {
      destination: Number(url.slice(1)),
      items,
      organization: subscription.organization,
      subscriptionId: subscription.id,
      handlerType: type,
      tag,
      secret,
    });
    for (const { label } of items) onSent(life, label);
    const isStubborn = chance.next() < 0.25;
    const aborted = new Promise<null>((resolve) => {
      if (!isStubborn) signal.addEventListener("abort", () => resolve(null), { once: true });
    });
    const first = await Promise.race([answer, aborted]);
    const outcome = first === null ? unknown("It was told to end.") : outcomeOf(type, first);
    for (const send of sends) {
      write({
        type: "landed",
        at: world.now,
        send,
        outcome: outcome.type,
        askedMs: outcome.type === "throttled" ? outcome.retryAfterMs : 0,
        gate: outcome.type === "throttled" ? (outcome.gate ?? null) : null,
        interrupted: signal.aborted && life.stopping && world.now < sentAt + timeouts[type],
      });
    }
    // As code does that hands on its signal, and code with a mistake in it.
    const isThrown = first === null || outcome.type === "failed";
    if (isThrown && chance.next() < 0.2) throw new Error("It was thrown.");
    return outcome;
  }

  return types.map((type) => {
    const max = together[type];
    return defineHandler({
      type,
      configuration,
      secrets: ["secret"],
      timeoutMs: timeouts[type],
      gates: gates[type],
      deliver: ({ event, delivery, ...context }) =>
        deliver(type, { ...context, items: [{ event, delivery }] }),
      ...(max !== null && { batch: { max, deliver: (context) => deliver(type, context) } }),
    });
  });
}

function outcomeOf(type: HandlerType, answer: Answer): Outcome {
  if (answer.type === "broken") return unknown("The connection broke.");
  const { status, retryAfterMs } = answer;
  switch (status) {
    case 200:
      return delivered();
    case 429:
      return throttled({ retryAfterMs, gate: type === "chat" ? "channel" : "host" });
    case 410:
      return gone("It is gone.");
    case 400:
      return rejected("It is not wanted.");
    default:
      return failed(`It answered ${status}.`);
  }
}
