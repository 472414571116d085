import { setTimeout } from "node:timers/promises";
import {
  defineCatalog,
  defineHandler,
  delivered,
  failed,
  type Outcome,
  type RetryPolicy,
} from "@posthorn/core";
import * as v from "valibot";

const schema = v.object({ label: v.string(), at: v.number() });

export const catalog = defineCatalog({ order_placed: { schema }, order_paid: { schema } });

export const ORGANIZATIONS = ["acme", "globex"] as const;
export const TYPES = ["order_placed", "order_paid"] as const;

/** As short as a bus allows for the timeout. */
export const LEASE_MS = 6_500;
export const TIMEOUT_MS = 1_000;

export const retry: RetryPolicy = {
  delaysMs: [50, 100, 200, 400, 800],
  jitter: 0.2,
  maxAgeMs: 3_600_000,
};

/** A handler that posts what it is given, with the name of its process, to the receiver. */
export const handlers = (options: {
  readonly receiver: string;
  readonly process: string;
  /** Answers before it has sent. */
  readonly sendsLate: boolean;
}) => {
  const { receiver, process, sendsLate } = options;
  const send = async (body: object, signal: AbortSignal | null): Promise<Outcome> => {
    try {
      const text = JSON.stringify({ ...body, process });
      const { status } = await fetch(receiver, { method: "POST", body: text, signal });
      return status === 200 ? delivered() : failed(`status ${status}`);
    } catch {
      return failed("no answer");
    }
  };
  return [
    defineHandler({
      type: "post",
      configuration: v.strictObject({ perSecond: v.optional(v.number()) }),
      retry,
      gates: ({ perSecond }) =>
        perSecond === undefined
          ? []
          : [{ name: "limited", key: "limited", limit: perSecond, perMs: 1_000, burst: 10 }],
      deliver: async ({ event, subscription, delivery, signal }) => {
        const { label } = event.data as { readonly label: string };
        const body = { label, delivery: delivery.id, subscription: subscription.id };
        if (!sendsLate) return send(body, signal);
        void setTimeout(100).then(() => send(body, null));
        return delivered();
      },
    }),
  ];
};
