import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createEventBus } from "@posthorn/core";
import type { SqlTransaction } from "@posthorn/storage-sql/transaction";
import type { Host } from "../ground/ground.ts";
import { grounds } from "../ground/grounds.ts";
import { read } from "../processes/read.ts";
import { announce, hear } from "../processes/speak.ts";
import { chance } from "./chance.ts";
import type { Order } from "./evidence.ts";
import { type Blow, killer, type Point, part, strike } from "./life.ts";
import { catalog, handlers, ORGANIZATIONS, TYPES } from "./orders.ts";

// publisher.ts PART: a host that stores orders and publishes events about them, in one transaction,
// some of which it rolls back; and events without any transaction. The parent says at which point
// of its work it is to be struck.

const { name, seed, storage: storageName, database, folder, bug, receiver } = part();
const { next, between, pick } = chance(seed);
const ground = grounds[storageName];
const { storage, close } = ground.openStorage(database);
const bus = createEventBus({
  catalog,
  storage,
  handlers: handlers({ receiver, process: name, sendsLate: false }),
});
const killWithin = killer();
const works = [commit, commit, commit, rollback, rollbackToSavepoint, publishAlone];

const now: { host: Host | null; blow: Blow | null; finishing: boolean } = {
  host: null,
  blow: null,
  finishing: false,
};
let count = 0;

hear((line) => {
  if (line === "finish") now.finishing = true;
  else now.blow = JSON.parse(line);
});
announce("ready");
await repeatUnacknowledged();
while (!now.finishing) {
  await nextWork()().catch(giveUp);
  await setTimeout(between(5, 45));
}
await repeatUnacknowledged();
await now.host?.end();
await close();
announce("finished");
process.exit();

/** The one that a blow is waiting for. */
function nextWork(): () => Promise<void> {
  if (now.blow === null) return pick(works);
  return now.blow.point === "during publish" ? publishAlone : commit;
}

async function commit(): Promise<void> {
  now.host ??= await ground.connectHost(database);
  const tx = await now.host.begin();
  for (let left = between(1, 3); left > 0; left -= 1) {
    await store(now.host, tx);
  }
  reach("before commit");
  if (now.blow?.point === "during commit") killWithin(between(0, 1_500));
  await now.host.say("commit");
  reach("after commit");
}

async function rollback(): Promise<void> {
  now.host ??= await ground.connectHost(database);
  const tx = await now.host.begin();
  const { label, at, type, organization } = await store(now.host, tx);
  await now.host.say("rollback");
  if (bug === "publishes-anyway") await bus.publish(type, { label, at }, { organization });
}

async function rollbackToSavepoint(): Promise<void> {
  now.host ??= await ground.connectHost(database);
  const tx = await now.host.begin();
  await store(now.host, tx);
  await now.host.say("savepoint half");
  await store(now.host, tx);
  await now.host.say("rollback to savepoint half");
  await store(now.host, tx);
  await now.host.say("commit");
}

/** Writes an order and its event; both come true at the commit, or neither. */
async function store({ say }: Host, tx: SqlTransaction): Promise<Order> {
  const stored = order();
  const { label, organization, type, at } = stored;
  const values = [label, organization, type, at] as const;
  await say("insert into orders (label, organization, type, at) values (?, ?, ?, ?)", values);
  reach("before publish");
  await bus.publish(type, { label, at }, { organization, tx });
  return stored;
}

/** What was begun is known before, and what was acknowledged after: a successor repeats the rest. */
async function publishAlone(): Promise<void> {
  const intent = order();
  write("intents.jsonl", intent);
  if (now.blow?.point === "during publish") killWithin(between(0, 3_000));
  await publishOnce(intent);
}

async function publishOnce({ label, at, organization, type }: Order): Promise<void> {
  await bus.publish(type, { label, at }, { organization, idempotencyKey: label });
  write("acks.jsonl", label);
}

async function repeatUnacknowledged(): Promise<void> {
  const acknowledged = new Set(read<string>(folder, "acks.jsonl"));
  for (const intent of read<Order>(folder, "intents.jsonl")) {
    while (!acknowledged.has(intent.label)) {
      await publishOnce(intent).then(() => acknowledged.add(intent.label), giveUp);
    }
  }
}

function write(name: string, value: unknown): void {
  appendFileSync(join(folder, name), `${JSON.stringify(value)}\n`);
}

function order(): Order {
  count += 1;
  const label = `${name}:${count}`;
  return { label, organization: pick(ORGANIZATIONS), type: pick(TYPES), at: Date.now() };
}

function reach(point: Point): void {
  if (now.blow?.point !== point) return;
  const { blow } = now;
  now.blow = null;
  strike(blow);
}

/** The database is away, or the connection was cut: what was not committed never happened. */
async function giveUp(error: unknown): Promise<void> {
  process.stderr.write(`${name}: ${error}\n`);
  await now.host?.end().catch(() => {});
  now.host = null;
  await setTimeout(50 + 100 * next());
}
