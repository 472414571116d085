import pg from "pg";
import { PgBoss } from "pg-boss";
import { someData } from "../event.ts";
import type { Ground } from "../ground.ts";
import type { Peer } from "../peers/peer.ts";
import {
  jobBus,
  onMemory,
  onPostgres,
  onSqlite,
  type Stored,
  subscribe,
} from "../peers/posthorn.ts";
import { countdown, inFlight, rate } from "../play.ts";
import { type Contest, type Contestant, ratio, type Workload } from "../workload.ts";

const CALLERS = 4;
const RAW = "raw insert by reference, and drain";
const PG_BOSS = "pg-boss publish, not worked";
const OURS = "Posthorn on PostgreSQL";

export const fanOut: Workload = {
  name: "fan-out",
  about: "one event for 10, 1,000 and 10,000 subscriptions, published and settled",
  contests: (ground, size) => {
    const ways = size.quick ? [10, 200] : [10, 1_000, 10_000];
    const deliveries = size.of(20_000, 400);
    return ways.map((way): Contest => {
      const events = Math.max(2, Math.round(deliveries / way));
      const rows = [
        raw(ground, events, way),
        posthorn(ground, OURS, "postgres", onPostgres, events, way),
        posthorn(ground, "Posthorn on SQLite FULL", "sqlite", onSqlite("full"), events, way),
        posthorn(ground, "Posthorn on memory", "memory", onMemory, events, way),
        ...(way === 10 ? [pgBoss(ground, size.of(events, events), way)] : []),
      ];
      return {
        title: `fan-out 1 → ${way.toLocaleString("en-US")}`,
        columns: ["deliveries/s"],
        better: "more",
        baseline: RAW,
        ...(way === 10_000 && { rounds: 2 }),
        rows,
        targets:
          way !== 10
            ? []
            : [
                { says: `${OURS} ≥ 1.0 × ${RAW}`, value: ratio(OURS, RAW), atLeast: 1 },
                { says: `${OURS} ≥ 20 × ${PG_BOSS}`, value: ratio(OURS, PG_BOSS), atLeast: 20 },
              ],
      };
    });
  },
};

const ORGANIZATION = "organization-0";

const posthorn = (
  ground: Ground,
  name: string,
  on: Peer["on"],
  open: (place: string) => Promise<Stored>,
  events: number,
  way: number,
): Contestant => ({
  name,
  note: "concurrency 2,000, 4 callers",
  run: async () => {
    const place = await ground.place(on);
    const { storage, end } = await open(place.at);
    const bus = jobBus(storage, { handle: () => undefined, concurrency: 2_000 });
    const names = Array.from({ length: way }, (_, index) => `Bench ${index}`);
    await inFlight(names, 10, (each) => subscribe(bus, ORGANIZATION, each));
    await place.rest();
    const { over, done } = countdown(events * way);
    bus.lifecycle.on("delivery.delivered", () => done(1));
    const perSecond = await rate(events * way, async () => {
      await inFlight(someData(events), CALLERS, (data) =>
        bus.publish("parameter_updated", data, { organization: ORGANIZATION }),
      );
      bus.start();
      await over;
    });
    await bus.stop();
    await end();
    await place.remove();
    return [perSecond];
  },
});

/** By hand: the payload once, a slim row for each destination; then SKIP LOCKED 500 and DELETE, 2 pollers. */
const raw = (ground: Ground, events: number, way: number): Contestant => ({
  name: RAW,
  run: async () => {
    const place = await ground.place("postgres");
    const pool = new pg.Pool({ connectionString: place.at, max: 10 });
    await pool.query(`
      create table event (id bigint generated always as identity primary key, payload text not null);
      create table delivery (id bigint generated always as identity primary key, event_id bigint not null, destination integer not null)`);
    await place.rest();
    const put = {
      name: "put",
      text: "with e as (insert into event (payload) values ($1) returning id) insert into delivery (event_id, destination) select e.id, d from e, generate_series(1, $2::integer) d",
    };
    const take = {
      name: "take",
      text: "with d as (delete from delivery where id in (select id from delivery order by id limit 500 for update skip locked) returning event_id) select e.id, e.payload, n from event e join (select event_id, count(*) as n from d group by event_id) d on d.event_id = e.id",
    };
    let settled = 0;
    const poll = async (): Promise<void> => {
      for (;;) {
        const { rows } = await pool.query<{ n: string }>(take);
        if (rows.length === 0) return;
        for (const { n } of rows) settled += Number(n);
      }
    };
    const perSecond = await rate(events * way, async () => {
      await inFlight(someData(events), CALLERS, (data) =>
        pool.query({ ...put, values: [JSON.stringify(data), way] }),
      );
      await Promise.all([poll(), poll()]);
    });
    await pool.end();
    await place.remove();
    if (settled !== events * way) throw new Error(`${settled} of ${events * way} were settled.`);
    return [perSecond];
  },
});

const pgBoss = (ground: Ground, events: number, way: number): Contestant => ({
  name: PG_BOSS,
  note: "publish to subscribed queues, 4 callers",
  run: async () => {
    const place = await ground.place("postgres");
    const boss = new PgBoss({
      connectionString: place.at,
      max: 10,
      supervise: false,
      schedule: false,
    });
    await boss.start();
    for (let queue = 0; queue < way; queue += 1) {
      await boss.createQueue(`queue-${queue}`);
      await boss.subscribe("parameter_updated", `queue-${queue}`);
    }
    await place.rest();
    const perSecond = await rate(events * way, () =>
      inFlight(someData(events), CALLERS, (data) => boss.publish("parameter_updated", data)),
    );
    await boss.stop();
    await place.remove();
    return [perSecond];
  },
});
