import { createEventBus, defineCatalog, defineHandler, delivered } from "@posthorn/core";
import pg from "pg";
import { object, strictObject, string } from "valibot";
import { onPostgres } from "../peers/posthorn.ts";
import { chunks, inFlight } from "../play.ts";
import { type Contestant, ratio, type Workload } from "../workload.ts";

const schema = object({ value: string() });
const catalog = defineCatalog({
  alarm_raised: { schema },
  parameter_created: { schema },
  parameter_updated: { schema },
  project_created: { schema },
});
const handler = defineHandler({
  type: "job",
  configuration: strictObject({}),
  deliver: async () => delivered(),
});

const OWN = 100;
const NONE = "an organization with none";
const ALONE = `an organization with ${OWN}, alone`;

export const matching: Workload = {
  name: "matching",
  about: "routing past 100 subscriptions that do not match, alone and among 1,000,000",
  contests: (ground, size) => {
    const organizations = size.of(10_000, 10);
    const among = `an organization with ${OWN}, among ${(organizations * OWN).toLocaleString("en-US")}`;
    const contestant = (name: string, own: number, copies: number): Contestant => ({
      name,
      run: async () => {
        const place = await ground.place("postgres");
        const { storage, end } = await onPostgres(place.at);
        const bus = createEventBus({ catalog, storage, handlers: [handler] });
        for (let index = 0; index < own; index += 1) {
          await bus.subscriptions.create({
            organization: "acme",
            name: `Bench ${index}`,
            eventTypes:
              index % 2 === 0 ? ["parameter_*"] : ["parameter_created", "project_created"],
            type: "job",
            configuration: {},
          });
        }
        await copy(place.at, copies);
        const events = Array.from({ length: size.of(20_000, 500) }, () => ({
          type: "alarm_raised" as const,
          data: { value: "x".repeat(960) },
          organization: "acme",
        }));
        await inFlight(chunks(events, 500), 2, (some) => bus.publishMany(some));
        await place.rest();
        const begun = performance.now();
        await bus.drain();
        const us = ((performance.now() - begun) * 1_000) / events.length;
        const { items } = await bus.deliveries.list({ organization: "acme" });
        await bus.stop();
        await end();
        await place.remove();
        if (items.length > 0) throw new Error("What does not match was delivered.");
        return [us];
      },
    });
    return [
      {
        title: "routing an event that nothing matches, PostgreSQL",
        columns: ["µs an event"],
        better: "less",
        baseline: NONE,
        rounds: 3,
        rows: [
          contestant(NONE, 0, 0),
          contestant(ALONE, OWN, 0),
          contestant(among, OWN, organizations - 1),
        ],
        targets: [
          {
            says: `matching ${OWN} among all (less ${NONE}) ≤ 20 µs`,
            value: (of) => of(among) - of(NONE),
            atMost: 20,
          },
          { says: "among all ≤ 1.2 × alone", value: ratio(among, ALONE), atMost: 1.2 },
        ],
      },
    ];
  },
};

/** Gives as many other organizations the same subscriptions, by the database itself. */
async function copy(connectionString: string, copies: number): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  for (const [table, id] of [
    ["subscriptions", "id"],
    ["lanes", "subscription_id"],
  ]) {
    await client.query(
      `insert into posthorn.${table} select (jsonb_populate_record(t, jsonb_build_object('${id}', t.${id} || '-' || n, 'organization', 'acme-' || n))).* from posthorn.${table} t, generate_series(1, $1::integer) n`,
      [copies],
    );
  }
  await client.end();
}
