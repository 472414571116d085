import pg from "pg";
import { postgresDialect } from "./src/dialects/postgres.ts";
import { postgresSchema } from "./src/schema/postgres.ts";
import { postgresNaming } from "./src/schema/naming.ts";
import { migrate } from "./src/schema/migrate.ts";
import { playAsync } from "./src/script.ts";
import { numbered } from "./src/transaction/transaction.ts";
import { deliveriesIn } from "./src/deliveries.ts";
import { settling } from "./src/settle.ts";
import { newDelivery } from "./src/records.ts";
import { settlementOf, newId, NOW } from "./test/work.ts";
const base = "postgres://postgres@127.0.0.1:5432/";
const admin = new pg.Client(base + "postgres"); await admin.connect();
await admin.query("drop database if exists hotexp_x"); await admin.query("create database hotexp_x");
const c = new pg.Client(base + "hotexp_x"); await c.connect();
const naming = postgresNaming();
let explain = false;
const exec = async ({ text, params }: any) => {
  if (explain) { const { rows } = await c.query("explain (analyze, buffers) " + numbered(text), [...params]); console.log(text.slice(0, 200)); console.log(rows.map((r: any) => r["QUERY PLAN"]).join("\n")); return { rows: [], affected: 0 }; }
  const { rows, rowCount } = await c.query(numbered(text), [...params]); return { rows, affected: rowCount ?? 0 };
};
const db = { query: (s: any) => playAsync(s(), exec), transact: async (s: any) => { await c.query("begin"); const r = await playAsync(s(), exec); await c.query("commit"); return r; } } as any;
await migrate({ database: db, schema: postgresSchema, naming });
const dialect = postgresDialect(naming.table);
const { add } = deliveriesIn(dialect); const { land } = settling(dialect);
const apply = () => ({ next: { status: "delivered", attempts: 1 }, counted: true }) as any;
let ended = 0;
for (let k = 0; k < 40; k++) {
  const token = newId();
  const ds = Array.from({ length: 500 }, () => ({ ...newDelivery({ id: newId(), organization: "acme", eventId: newId(), eventType: "t", subscriptionId: "s" + (k % 7), handlerType: "http", createdAt: NOW }), inFlight: true }));
  if (k === 39) { await c.query("analyze"); explain = true; }
  await db.transact(() => add(ds, new Map(), { token, leaseUntil: NOW + 1000 }));
  for (const from of [0, 250]) {
    const r: any = await db.query(() => land(ds.slice(from, from + 250).map((d) => settlementOf({ deliveryId: d.id, subscriptionId: d.subscriptionId, token, delivery: d }, true)) as any, apply)); ended += r.size;
  }
}
explain = false;
console.log(ended, (await c.query("select (select count(*) from posthorn.flights) f, (select count(*) from posthorn.leases) l, (select count(*) from posthorn.deliveries where status = 1) d")).rows);
console.log((await c.query("select relname, n_tup_upd, n_tup_hot_upd, n_dead_tup from pg_stat_user_tables where relname in ('deliveries','flights','leases')")).rows);
await c.end(); await admin.query("drop database hotexp_x"); await admin.end();
