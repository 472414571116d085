import { expect, it } from "vitest";
import { onEachDatabase } from "../../test/on-each-database.ts";
import { change, type Script } from "../script.ts";
import { migrate } from "./migrate.ts";

onEachDatabase("the tables", ({ connection, target }) => {
  /** An `events` table, to put rows in and to read from. */
  const events = async () => {
    const to = target();
    await migrate(to);
    const table = to.naming.table("events");
    return {
      add: (event: { id: string; organization?: string; key?: string; payload?: string }) =>
        to.database.query(() => insert(table, event)),
      rows: () => connection().rows(`select id, payload from ${table} order by id`),
    };
  };

  it("tell keys apart by case and trailing spaces, and sort them by bytes", async () => {
    const { add, rows } = await events();
    for (const id of ["b", "a", "B", "a ", "ä", "z"]) await add({ id });
    const ids = (await rows()).map(({ id }) => String(id));
    expect(ids).toEqual(["B", "a", "a ", "b", "z", "ä"]);
  });

  it("take the longest organization and idempotency key, and each pair once", async () => {
    const { add, rows } = await events();
    const longest = { organization: "\u{ffff}".repeat(256), key: "k".repeat(255) };
    await add({ id: "1", ...longest });
    await add({ id: "2", ...longest, organization: "other" });
    await add({ id: "3", ...longest, key: "other" });
    await expect(add({ id: "4", ...longest })).rejects.toThrow(/unique|duplicate/i);
    await expect(rows()).resolves.toHaveLength(3);
  });

  it("take any number of events without a key", async () => {
    const { add, rows } = await events();
    for (const id of ["1", "2", "3"]) await add({ id });
    await expect(rows()).resolves.toHaveLength(3);
  });

  it("keep a payload of a megabyte, byte for byte", async () => {
    const { add, rows } = await events();
    const payload = JSON.stringify("🦄é".repeat(180_000));
    await add({ id: "1", payload });
    const [row] = await rows();
    expect(row?.["payload"]).toBe(payload);
  });
});

const insert = (
  table: string,
  event: { id: string; organization?: string; key?: string; payload?: string },
): Script<number> =>
  change(
    `insert into ${table} (id, organization, type, occurred_at, published_at, payload, idempotency_key, announced) values (?, ?, 'x', 0, 0, ?, ?, 0)`,
    event.id,
    event.organization ?? "acme",
    event.payload ?? "{}",
    event.key ?? null,
  );
