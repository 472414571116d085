import { type Dialect, type Flights, sent, sentKeys } from "../dialect.ts";
import { text as read } from "../records.ts";
import { change, rowsOf } from "../script.ts";

/** Where a statement cannot go on with the rows that another has changed: one after the other. */
export function flightsIn(
  { table, rows, insert, remove }: Pick<Dialect, "table" | "rows" | "insert" | "remove">,
  /** Deletes the flights whose `token` and `id` go along. */
  removeFlights: string,
): Flights {
  const add = insert({
    table: "flights",
    rows: { id: "key", subscription_id: "key" },
    set: { token: "?", delivery_id: "r.id", subscription_id: "r.subscription_id" },
  });
  const addLease = `insert into ${table("leases")} (token, lease_until) values (?, ?)`;
  // Looked up, and then deleted: to look as it deletes would be to wait for others that settle.
  const landed = `select r.token from ${rows("r", { token: "key" })} where (select f.token from ${table("flights")} f where f.token = r.token limit 1) is null`;
  const removeLeases = remove("leases", "token", "key");

  const forget: Flights["forget"] = function* (over) {
    if (over.length === 0) return;
    yield* change(removeFlights, sent(over));
    const tokens = [...new Set(over.map(({ token }) => token))].sort();
    const done = yield* rowsOf(landed, sent(tokens.map((token) => ({ token }))));
    if (done.length > 0)
      yield* change(removeLeases, sentKeys(done.map(({ token }) => read(token))));
  };

  return {
    begin: function* ({ text, params }, flights, { token, leaseUntil }, also) {
      yield* change(text, ...params);
      if (also !== undefined) yield* change(also.text, ...also.params);
      const flown = flights.map(({ id, subscriptionId }) => ({
        id,
        subscription_id: subscriptionId,
      }));
      yield* change(add, token, sent(flown));
      yield* change(addLease, token, leaseUntil);
    },
    end: function* (text, changed) {
      yield* change(text, sent(changed));
      yield* forget(
        changed.flatMap(({ id, token }) =>
          token == null ? [] : [{ id: String(id), token: String(token) }],
        ),
      );
    },
    forget,
  };
}
