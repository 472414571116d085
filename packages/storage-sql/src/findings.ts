import type { SubscriptionRecord } from "@posthorn/core";
import { type Dialect, sent } from "./dialect.ts";
import { subscriptionRow, words } from "./records.ts";
import { change, type Script } from "./script.ts";

export interface Findings {
  /** Writes what was found out about subscriptions whose lanes are locked. */
  write(records: readonly SubscriptionRecord[]): Script<void>;
  /** Switches subscriptions off whose lanes are locked, each for its reason. */
  switchOff(reasons: ReadonlyMap<string, string>): Script<void>;
  /** Parks the locked lanes of subscriptions that were switched off. */
  park(subscriptionIds: readonly string[]): Script<void>;
}

export function findingsIn(dialect: Dialect): Findings {
  const write = dialect.update({
    table: "subscriptions",
    rows: {
      id: "key",
      version: "int",
      enabled: "int",
      disabled_reason: "text",
      status: "text",
      status_detail: "text",
      status_checked_at: "int",
      state: "text",
      failing_since: "int",
      failing_attempts: "int",
      failing_warned: "int",
    },
    set: {
      version: "r.version",
      enabled: "r.enabled",
      disabled_reason: "r.disabled_reason",
      status: "r.status",
      status_detail: "r.status_detail",
      status_checked_at: "r.status_checked_at",
      state: "r.state",
      failing_since: "r.failing_since",
      failing_attempts: "r.failing_attempts",
      failing_warned: "r.failing_warned",
    },
    where: "t.id = r.id",
  });
  const switchOff = dialect.update({
    table: "subscriptions",
    rows: { id: "key", disabled_reason: "text" },
    set: { version: "t.version + t.enabled", enabled: "0", disabled_reason: "r.disabled_reason" },
    where: "t.id = r.id",
  });
  const park = dialect.update({
    table: "lanes",
    rows: { id: "key" },
    set: { parked: "1", next_due_at: "null" },
    where: "t.subscription_id = r.id",
  });

  return {
    write: function* (records) {
      if (records.length === 0) return;
      yield* change(write, sent(records.map(subscriptionRow)));
    },
    switchOff: function* (reasons) {
      if (reasons.size === 0) return;
      const off = [...reasons].map(([id, reason]) => ({ id, disabled_reason: words(reason) }));
      yield* change(switchOff, sent(off));
    },
    park: function* (subscriptionIds) {
      if (subscriptionIds.length === 0) return;
      yield* change(park, sent(subscriptionIds.map((id) => ({ id }))));
    },
  };
}
