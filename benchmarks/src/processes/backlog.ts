import { once } from "node:events";
import { createEventBus, type Storage } from "@posthorn/core";
import { catalog, someData } from "../event.ts";
import { median } from "../figures.ts";
import { jobBus, onPostgres, subscribe } from "../peers/posthorn.ts";
import { countdown, inFlight } from "../play.ts";

// Fills lanes through a bus that cannot serve them, then serves them through one that can, and
// measures its claims and itself.
interface Order {
  readonly at: string;
  readonly waiting: number;
  readonly lanes: number;
  /** How many are served of all that wait. */
  readonly claimed: number;
}
const { at, waiting, lanes, claimed } = JSON.parse(process.argv[2] ?? "") as Order;
const CONCURRENCY = 500;
const BATCH = 500;

let most = 0;
const watch = setInterval(() => {
  most = Math.max(most, process.memoryUsage.rss());
}, 20);

const { storage, end } = await onPostgres(at);
const claims: number[] = [];
const timed: Storage<never> = {
  ...storage,
  claim: async (request, rules) => {
    const begun = performance.now();
    const result = await storage.claim(request, rules);
    if (result.claims.length > 0) claims.push(performance.now() - begun);
    return result;
  },
};
const bus = jobBus(timed, { handle: () => undefined, concurrency: CONCURRENCY });
const organizations = Array.from({ length: lanes }, (_, index) => `organization-${index}`);
await inFlight(organizations, 10, (organization) => subscribe(bus, organization));

const router = createEventBus({ catalog, storage, handlers: [] });
const [event] = someData(1);
if (event === undefined) throw new Error("There is no event to publish.");
for (let published = 0; published < waiting; published += BATCH) {
  const count = Math.min(BATCH, waiting - published);
  await router.publishMany(
    Array.from({ length: count }, (_, index) => ({
      type: "parameter_updated" as const,
      data: event,
      organization: organizations[(published + index) % lanes] as string,
    })),
  );
  await router.drain();
}

const go = once(process, "message");
process.send?.("filled");
await go;
const { over, done } = countdown(claimed);
bus.lifecycle.on("delivery.delivered", () => done(1));
const begun = performance.now();
bus.start();
await over;
const perSecond = (claimed / (performance.now() - begun)) * 1_000;
await bus.stop();
clearInterval(watch);
process.send?.([median(claims), perSecond, most / 2 ** 20]);
await end();
process.disconnect();
