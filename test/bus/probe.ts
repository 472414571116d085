import { defineCatalog, defineHandler, delivered, family, type Outcome } from "@posthorn/core";
import * as v from "valibot";

/** A small catalog for tests of the bus. */
export const catalog = defineCatalog({
  ...family("project", { schema: v.object({ name: v.string() }) }),
  invoice_paid: { schema: v.object({ amount: v.number() }) },
});

/** Lets everything that can happen without time passing happen. */
export async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await new Promise((resolve) => setImmediate(resolve));
}

interface Sent {
  readonly at: number;
  readonly type: string;
  readonly to: string;
  readonly attempt: number;
  readonly eventId: string;
}

export type Reply = (sent: Sent, signal: AbortSignal) => Outcome | Promise<Outcome>;

/** A handler that writes down what it is asked to deliver, and answers as the test says. */
export function probe(options: {
  readonly now: () => number;
  readonly reply?: Reply;
  readonly limit?: { readonly limit: number; readonly perMs: number; readonly burst?: number };
}) {
  const sent: Sent[] = [];
  const handler = defineHandler({
    type: "probe",
    configuration: v.strictObject({
      to: v.pipe(v.string(), v.nonEmpty("must not be empty")),
      token: v.optional(v.string()),
    }),
    secrets: ["token"],
    gates: ({ to }) => [{ name: "target", key: to, ...options.limit }],
    deliver: async ({ event, configuration, delivery, signal }) => {
      const note: Sent = {
        at: options.now(),
        type: event.type,
        to: configuration.to,
        attempt: delivery.attempt,
        eventId: event.id,
      };
      sent.push(note);
      return options.reply === undefined ? delivered() : options.reply(note, signal);
    },
  });
  return { handler, sent };
}
