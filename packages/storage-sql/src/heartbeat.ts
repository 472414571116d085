import type { Heartbeat } from "@posthorn/core";
import { type Dialect, sent, sentKeys } from "./dialect.ts";
import { text } from "./records.ts";
import { change, rowsOf, type Script } from "./script.ts";

/** Notes who delivers, and forgets who no longer does. */
export function beating(dialect: Dialect): (beat: Heartbeat) => Script<void> {
  const note = dialect.insert({
    table: "dispatchers",
    rows: { id: "key", alive_until: "int" },
    onConflict: { key: "id", update: ["alive_until"] },
  });
  const silent = `select id from ${dialect.table("dispatchers")} where alive_until <= ? order by id`;
  const forget = dialect.remove("dispatchers", "id", "key");

  return function* ({ id, now, aliveUntil }) {
    yield* change(note, sent([{ id, alive_until: aliveUntil }]));
    const gone = yield* rowsOf(silent, now);
    if (gone.length > 0) yield* change(forget, sentKeys(gone.map((row) => text(row["id"]))));
  };
}
