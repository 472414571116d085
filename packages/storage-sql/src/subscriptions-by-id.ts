import type { SubscriptionRecord } from "@posthorn/core";
import { type Dialect, sent } from "./dialect.ts";
import { text, toSubscription } from "./records.ts";
import { rowsOf, type Script } from "./script.ts";

/** Reads subscriptions as they are, unlocked; those that are gone are left out. */
export function subscriptionsById({
  rows,
  lookUp,
}: Dialect): (ids: Iterable<string>) => Script<Map<string, SubscriptionRecord>> {
  const select = `select s.* from ${rows("r", { id: "key" })} ${lookUp("subscriptions", "s")} on s.id = r.id`;
  return function* (ids) {
    const asked = [...new Set(ids)].map((id) => ({ id }));
    if (asked.length === 0) return new Map();
    const found = yield* rowsOf(select, sent(asked));
    return new Map(found.map((row) => [text(row["id"]), toSubscription(row)]));
  };
}
