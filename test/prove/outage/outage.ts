import { setTimeout } from "node:timers/promises";
import type { Host as Database } from "../../ground/ground.ts";
import { grounds, type StorageName } from "../../ground/grounds.ts";
import { clock } from "../clock.ts";
import type { Weight } from "../noted.ts";
import type { Proof } from "../proof.ts";
import { quietOnes } from "../quiet.ts";
import { onStage } from "../stage.ts";
import { tableOf } from "../tables.ts";
import { judgeOutage } from "./judge.ts";

const QUIET = 20;
const CONCURRENCY = 50;
const PATH = "/dead";
const ANSWERS_AFTER_MS = 20;
/** Published before anything has failed: enough to fail ten times, and for some to wait. */
const FIRST = 100;
/** A breaker is open for 15 minutes at most. */
const RETURN_MS = 16 * 60_000;
const COPIED_AT_ONCE = 20_000;

/** One host delivers for all. One destination dies, very many wait for it, and it returns. */
export const outage: Proof = async (play) =>
  judgeOutage(
    await onStage(play, async (stage) => {
      const { bus, host, behave, hits, noted, until } = stage;
      const { samples, waiting, drain } = play.sizes;
      const quiet = quietOnes(QUIET);
      await quiet.subscribe(stage);
      const organization = "dead";
      await bus.subscriptions.create({
        organization,
        name: "dead",
        eventTypes: ["news"],
        type: "post",
        configuration: { path: PATH },
      });
      await behave({ path: PATH, status: 503, afterMs: ANSWERS_AFTER_MS });
      const deliverer = await host("deliverer", CONCURRENCY);
      await deliverer.ask({ do: "start" });
      deliverer.tell({ do: "weigh" });
      const phase = (name: string, count = samples): Promise<void> =>
        quiet.publish(stage, deliverer, name, count);
      await phase("warm", 10 * QUIET);
      await phase("idle");

      for (let event = 0; event < FIRST; event += 1) {
        const data = { label: `unheard ${event}`, published: clock() };
        await bus.publish("news", data, { organization });
      }
      await until("it to be found dead", 60_000, () => {
        return hits().filter(({ status }) => status === 503).length >= 10;
      });
      const database = await grounds[play.storage].connectHost(play.site.database);
      await copyOne(database, play.storage, waiting - FIRST);
      const countWaiting = async (): Promise<number> => {
        const [row] = (await database.say(
          `select count(*) as waiting from ${tableOf(play.storage, "deliveries")} where completed_at is null`,
        )) as readonly { readonly waiting: number }[];
        return Number(row?.waiting);
      };
      const waited = await countWaiting();
      const from = clock();
      await phase("dead");
      await setTimeout(Math.max(0, 8_000 - (clock() - from)));
      const returned = await behave({ path: PATH, status: 200, afterMs: ANSWERS_AFTER_MS });
      await until("it to be found alive", RETURN_MS, () => {
        return hits().some(({ path, status }) => path === PATH && status === 200);
      });
      const drained = setTimeout(drain * 1_000);
      await phase("drain");
      await drained;
      const left = await countWaiting();
      await database.end();
      return {
        hits: hits(),
        path: PATH,
        waiting: waited,
        left,
        from,
        until: returned,
        weights: noted<Weight>("memory.jsonl").filter(({ at }) => at <= returned),
        samples,
        perLane: CONCURRENCY / 2,
        timed: play.full,
      };
    }),
  );

/** Makes a delivery that waits, and its event, many: rows as they would be, with ids of their own. */
async function copyOne(database: Database, storage: StorageName, count: number): Promise<void> {
  const [events, deliveries] = [tableOf(storage, "events"), tableOf(storage, "deliveries")];
  const [delivery] = (await database.say(
    `select * from ${deliveries} where due_at is not null and organization = 'dead' and attempts = 0 limit 1`,
  )) as readonly Row[];
  if (delivery === undefined) throw new Error("Nothing waits for the dead destination.");
  const [event] = (await database.say(`select * from ${events} where id = ?`, [
    delivery["event_id"] as string,
  ])) as readonly Row[];
  const copied = "cast(100000000000 + n.i as text)";
  const copy = (table: string, row: Row, ids: readonly string[], from: number, to: number) => {
    const written = Object.entries(row).filter(([column]) => !GENERATED.has(column));
    const columns = written.map(([column]) => column).join(", ");
    const values = written.map(([column, value]) => {
      if (ids.includes(column)) return `substr(t.${column}, 1, 24) || ${copied}`;
      // As it was: by now it may be in flight itself, and nobody would fly its copies.
      return typeof value === "string" ? `t.${column}` : String(value);
    });
    return database.say(
      `with recursive n(i) as (select ${from} union all select i + 1 from n where i < ${to}) insert into ${table} (${columns}) select ${values.join(", ")} from ${table} t cross join n where t.id = ?`,
      [row["id"] as string],
    );
  };
  for (let from = 1; from <= count; from += COPIED_AT_ONCE) {
    const to = Math.min(count, from + COPIED_AT_ONCE - 1);
    await copy(events, event as Row, ["id"], from, to);
    await copy(deliveries, delivery, ["id", "event_id"], from, to);
  }
}

/** What the database works out of the other columns. */
const GENERATED: ReadonlySet<string> = new Set(["first_due_at", "waiting_since", "failed"]);

type Row = Readonly<Record<string, string | number | null>>;
