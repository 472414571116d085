import {
  type Catalog,
  defineCatalog,
  defineHandler,
  delivered,
  failed,
  type Gate,
  type RetryPolicy,
  throttled,
} from "@posthorn/core";
import * as v from "valibot";
import { clock } from "./clock.ts";

/** What an event says: who it is, and when its publish began. */
const schema = v.object({ label: v.string(), published: v.number() });

/** One type for most, and so many that only one subscription each has asked for. */
export const catalog: Catalog = defineCatalog(
  Object.fromEntries(
    ["news", ...Array.from({ length: 1_000 }, (_, index) => `news_${index}`)].map((type) => [
      type,
      { schema },
    ]),
  ),
);

/** A long schedule: nothing here dies. */
const retry: RetryPolicy = {
  delaysMs: Array(100).fill(1_000),
  jitter: 0.2,
  maxAgeMs: 3_600_000,
};

/** The body of a request: what the receiver needs to judge by. */
export interface Posted {
  readonly label: string;
  /** When its publish began. */
  readonly published: number;
  /** When its handler was called. */
  readonly sent: number;
  /** The process that sent it. */
  readonly by: string;
}

/** A handler that posts events to a path of the receiver, which is its gate. */
export const postHandler = (receiver: string, by: string) =>
  defineHandler({
    type: "post",
    configuration: v.strictObject({
      path: v.string(),
      perSecond: v.optional(v.number()),
      burst: v.optional(v.number()),
    }),
    retry,
    timeoutMs: 10_000,
    gates: ({ path, perSecond, burst }): readonly Gate[] => [
      {
        name: "path",
        key: path,
        ...(perSecond !== undefined && { limit: perSecond, perMs: 1_000, burst }),
      },
    ],
    deliver: async ({ event, configuration, signal }) => {
      const { label, published } = event.data as v.InferOutput<typeof schema>;
      const posted: Posted = { label, published, sent: clock(), by };
      const { status, headers } = await fetch(`${receiver}${configuration.path}`, {
        method: "POST",
        body: JSON.stringify(posted),
        signal,
      });
      if (status === 200) return delivered();
      if (status !== 429) return failed(`status ${status}`);
      return throttled({ gate: "path", retryAfterMs: 1_000 * Number(headers.get("retry-after")) });
    },
  });
