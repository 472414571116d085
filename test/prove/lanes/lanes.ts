import { grounds } from "../../ground/grounds.ts";
import { clock } from "../clock.ts";
import type { Taken } from "../noted.ts";
import type { Proof } from "../proof.ts";
import { onStage } from "../stage.ts";
import { tableOf } from "../tables.ts";
import { judgeLanes, type Newcomer } from "./judge.ts";

const LANES_EACH = 50;
const PROCESSES = 2;
const CONCURRENCY = 50;
/** How many deliveries wait in each lane before a new one comes: more than are sent meanwhile. */
const WAITING = 6;
/**
 * A limit that limits nothing: what is behind one always waits, and is claimed. A route begins nothing
 * of it, and leaves no event for later because no place is free.
 */
const NEVER_FREE = { perSecond: 1_000 };
/** Longer than it takes if it is not forgotten. */
const SERVED_WITHIN_MS = 60_000;
const PATH = "/busy";
const ANSWERS_AFTER_MS = 20;

interface Count {
  readonly count: number;
}

interface Destination {
  readonly path: string;
  readonly perSecond: number;
}

/** Two hosts deliver from lanes that are always due; now and then, a new one comes. */
export const lanes: Proof = async (play) =>
  judgeLanes(
    await onStage(play, async ({ bus, storage, host, behave, noted, until }) => {
      const { sizes, site, bug } = play;
      const ownerOf = (lane: string): string => lane.split(" ")[0] as string;
      const organizationOf = (lane: string): string => (bug === "no-turns" ? "all" : ownerOf(lane));
      const subscribe = (lane: string, eventType: string, configuration: Destination) =>
        bus.subscriptions.create({
          organization: organizationOf(lane),
          name: lane,
          eventTypes: [eventType],
          type: "post",
          configuration,
        });
      const publish = (lane: string, type: string): Promise<unknown> => {
        const organization = organizationOf(lane);
        return bus.publish(type, { label: lane, published: clock() }, { organization });
      };
      const owners = Array.from(
        { length: sizes.lanes / LANES_EACH },
        (_, index) => `busy-${index}`,
      );
      for (let index = 0; index < LANES_EACH; index += 1) {
        const creating = owners.map((owner) =>
          subscribe(`${owner} ${index}`, "news", { path: `${PATH}?of=${owner}`, ...NEVER_FREE }),
        );
        await Promise.all(creating);
      }
      const busy = bug === "no-turns" ? owners.slice(0, 1) : owners;
      await behave({ path: PATH, status: 200, afterMs: ANSWERS_AFTER_MS });
      const hosts = await Promise.all(
        Array.from({ length: PROCESSES }, (_, index) => host(`host-${index}`, CONCURRENCY)),
      );
      await Promise.all(hosts.map((each) => each.ask({ do: "start" })));
      const database = await grounds[play.storage].connectHost(site.database);
      const count = async (what: string): Promise<number> => {
        const [row] = (await database.say(`select count(*) as count ${what}`)) as readonly Count[];
        return Number(row?.count);
      };
      const waiting = `from ${tableOf(play.storage, "deliveries")} where due_at is not null`;
      const due = `from ${tableOf(play.storage, "lanes")} where next_due_at is not null`;
      const refill = async (): Promise<void> => {
        while ((await count(waiting)) < WAITING * sizes.lanes) {
          for (const owner of busy) await publish(owner, "news");
          await until("all to be routed", 300_000, async () => {
            return (await storage.backlog(Date.now())).unrouted === 0;
          });
        }
      };

      const newcomers: Newcomer[] = [];
      for (let index = 0; index < sizes.newcomers; index += 1) {
        const owner = index % 2 === 0 ? `new-${index}` : (busy[index % busy.length] as string);
        const lane = `${owner} newcomer-${index}`;
        const type = `news_${index}`;
        await subscribe(lane, type, { path: `/new-${index}`, ...NEVER_FREE });
        await refill();
        const dueThen = await count(due);
        await publish(lane, type);
        newcomers.push({ lane, published: clock(), due: dueThen });
        const isServed = (): boolean =>
          noted<Taken>("claims.jsonl").some((each) => each.lanes.includes(lane));
        await until(`${lane} to be served`, SERVED_WITHIN_MS, isServed).catch(() => {});
      }
      await database.end();
      const taken = noted<Taken>("claims.jsonl").toSorted((a, b) => a.at - b.at);
      return { taken, newcomers, lanes: sizes.lanes, ownerOf };
    }),
  );
