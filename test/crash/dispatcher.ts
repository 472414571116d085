import { createEventBus, type Storage } from "@posthorn/core";
import { grounds } from "../ground/grounds.ts";
import { announce, hear } from "../processes/speak.ts";
import { type Blow, part, strike } from "./life.ts";
import { catalog, handlers, LEASE_MS, TIMEOUT_MS } from "./orders.ts";

// dispatcher.ts PART: delivers until it is told to finish. The parent may tell it to be struck in a
// transaction.

const { name, storage: storageName, database, receiver, bug } = part();
let blow: Blow | null = null;
const { storage, close } = grounds[storageName].openStorage(database, {
  onCommit: () => {
    const due = blow;
    blow = null;
    if (due !== null) strike(due);
  },
});
const bus = createEventBus({
  catalog,
  storage: bug === "settle-is-lost" ? withLostSettles(storage) : storage,
  handlers: handlers({ receiver, process: name, sendsLate: bug === "sends-late" }),
  concurrency: 10,
  handlerTimeoutMs: TIMEOUT_MS,
  leaseMs: LEASE_MS,
  pollMs: 200,
});
bus.lifecycle.on("*", (event, report) => {
  if (event !== "dispatcher.error" && event !== "delivery.lapsed") return;
  process.stderr.write(`${name}: ${event} ${JSON.stringify(report)}\n`);
});
hear((line) => {
  if (line === "finish") void finish();
  else blow = JSON.parse(line);
});
bus.start();
announce("ready");

async function finish(): Promise<void> {
  await bus.stop();
  await close();
  announce("finished");
  process.exit();
}

/** Says that it has settled, and has not, once in ten times. */
function withLostSettles<Tx>(whole: Storage<Tx>): Storage<Tx> {
  let count = 0;
  return {
    ...whole,
    settle: async (settlements, apply) => {
      count += 1;
      if (count % 10 !== 0) return whole.settle(settlements, apply);
      return settlements.map(() => "settled");
    },
  };
}
