import {
  createEventBus,
  defineCatalog,
  defineHandler,
  delivered,
  type Event,
  type EventBus,
} from "@posthorn/core";
import { createPool } from "mysql2/promise";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import type { DialectName } from "../src/dialect.ts";
import { mysqlStorage } from "../src/mysql.ts";
import { postgresStorage } from "../src/postgres.ts";
import type { MaybePromise } from "../src/script.ts";
import { sqliteStorage } from "../src/sqlite.ts";
import type { SqlStorage } from "../src/storage.ts";
import type { SqlTransaction } from "../src/transaction/transaction.ts";
import type { HostDatabase } from "./host.ts";
import { inTurn } from "./in-turn.ts";
import type { Stage } from "./transaction-suite.ts";

const anything = {
  "~standard": { version: 1, vendor: "tests", validate: (value: unknown) => ({ value }) },
} as const;

const catalog = defineCatalog({ note_added: { schema: anything } });

/** What becomes of events and subscriptions that a host writes in its transactions. */
export function publishingSuite<Tx>(stage: Stage<Tx>): void {
  const { isSync, inTransaction, rolledBack, undone } = stage;
  let opened: Opened;
  let bus: EventBus<typeof catalog, typeof handler, SqlTransaction>;
  let organization = "";
  const received: Event[] = [];
  const handler = defineHandler({
    type: "recorder",
    configuration: anything,
    deliver: async ({ event }) => {
      received.push(event);
      return delivered();
    },
  });

  beforeAll(async () => {
    opened = STORAGES[stage.dialect](stage.host());
    await opened.storage.migrate();
    bus = createEventBus({ catalog, storage: opened.storage as never, handlers: [handler] });
  });
  afterAll(async () => {
    await opened?.storage.close();
    await opened?.end();
  });
  let organizations = 0;
  beforeEach(() => {
    organizations += 1;
    organization = `acme-${organizations}`;
    received.length = 0;
  });

  const publish = (
    tx: SqlTransaction,
    data: unknown,
    idempotencyKey?: string,
  ): MaybePromise<Event> => {
    const options = { organization, tx, idempotencyKey };
    return isSync
      ? bus.publishSync("note_added", data, options)
      : bus.publish("note_added", data, options);
  };
  const published = async (): Promise<readonly unknown[]> => {
    const { items } = await bus.events.list({ organization });
    return items.map(({ data }) => data).toReversed();
  };
  const subscription = () =>
    ({
      organization,
      name: "Notes",
      eventTypes: ["note_*"],
      type: "recorder",
      configuration: {},
    }) as const;

  it("an event is there once the transaction commits, not before, and then is delivered", async () => {
    await bus.subscriptions.create(subscription());
    await inTransaction((tx) =>
      inTurn(
        () => publish(tx, "first"),
        () => publish(tx, "second"),
        () => (stage.canLook ? expect(published()).resolves.toEqual([]) : undefined),
      ),
    );
    expect(await published()).toEqual(["first", "second"]);
    await bus.drain();
    expect(received.map(({ data }) => data)).toEqual(["first", "second"]);
  });

  it("nothing is published of a transaction that is rolled back", async () => {
    await bus.subscriptions.create(subscription());
    await rolledBack((tx) => publish(tx, "never"));
    await bus.drain();
    expect(await published()).toEqual([]);
    expect(received).toEqual([]);
  });

  it("nothing is published of a savepoint that is rolled back, and the rest is", async () => {
    await inTransaction((tx, given) =>
      inTurn(
        () => publish(tx, "kept"),
        () => undone(given, (inner) => publish(inner, "undone")),
        () => publish(tx, "later"),
      ),
    );
    expect(await published()).toEqual(["kept", "later"]);
  });

  it("an idempotency key that was used adds nothing, and does not disturb the transaction", async () => {
    const first = await bus.publish("note_added", "once", { organization, idempotencyKey: "key" });
    const note = (tx: SqlTransaction, id: string) =>
      tx.execute({ text: `insert into notes (id) values ('${id}')`, params: [] });
    const repeated = await inTransaction((tx) => {
      let event: unknown;
      return inTurn(
        () => note(tx, "before"),
        () => publish(tx, "once", "key"),
        (answer) => {
          event = answer;
        },
        () => note(tx, "after"),
        () => publish(tx, "another", "other key"),
        () => event,
      );
    });
    expect(repeated).toEqual(first);
    expect(await published()).toEqual(["once", "another"]);
    expect(await stage.notes()).toEqual(["after", "before"]);
  });

  it("an idempotency key counts within the transaction, and is free again after a rollback", async () => {
    const twice = (tx: SqlTransaction) =>
      inTurn(
        () => publish(tx, "once", "key"),
        () => publish(tx, "once", "key"),
      );
    await rolledBack(twice);
    expect(await published()).toEqual([]);
    await inTransaction(twice);
    expect(await published()).toEqual(["once"]);
  });

  it("nothing is written with a transaction that has ended", async () => {
    const tx = await inTransaction((open) => open);
    await expect(async () => publish(tx, "too late")).rejects.toMatchObject({
      code: "unknown_transaction",
      message: expect.stringContaining("is not open"),
    });
    expect(await published()).toEqual([]);
  });

  it("data arrive as they were published", async () => {
    const data = {
      text: "? ?? \\? $1 :name ' \" \\ -- \u0000 \n 🦄 漢字 \u{10ffff}",
      long: "x🦄'\"".repeat(20_000),
      numbers: [0, -1.5, 1e300, Number.MAX_SAFE_INTEGER],
      nothing: [null, "", [], {}],
    };
    await bus.subscriptions.create(subscription());
    await inTransaction((tx) => publish(tx, data));
    expect(await published()).toEqual([data]);
    await bus.drain();
    expect(received.map((event) => event.data)).toEqual([data]);
  });

  if (isSync) {
    it("publishSync has written when it returns, and answers no promise", async () => {
      const event = await inTransaction((tx) => {
        const answer = publish(tx, "now");
        expect(answer).not.toBeInstanceOf(Promise);
        return answer;
      });
      expect(await bus.events.get({ organization, id: event.id })).toMatchObject({ data: "now" });
    });
  } else {
    it("publishSync is refused", async () => {
      await inTransaction((tx) => {
        expect(() => bus.publishSync("note_added", "now", { organization, tx })).toThrow(
          "Use `publish`",
        );
      });
      expect(await published()).toEqual([]);
    });
  }

  if (!stage.awaits) return;

  it("subscriptions commit, and roll back, with the transaction", async () => {
    const input = subscription();
    await rolledBack((tx) => bus.subscriptions.create(input, { tx }));
    expect((await bus.subscriptions.list({ organization })).items).toEqual([]);

    const { id } = await inTransaction((tx) => bus.subscriptions.create(input, { tx }));
    await rolledBack((tx) =>
      bus.subscriptions.update({ organization, id }, { name: "Never" }, { tx }),
    );
    await inTransaction((tx) =>
      bus.subscriptions.update({ organization, id }, { name: "Renamed" }, { tx }),
    );
    expect(await bus.subscriptions.get({ organization, id })).toMatchObject({ name: "Renamed" });

    await inTransaction((tx) => bus.subscriptions.delete({ organization, id }, { tx }));
    expect((await bus.subscriptions.list({ organization })).items).toEqual([]);
  });

  it("publishMany is one with the transaction", async () => {
    const events = [1, 2, 3].map((data) => ({ type: "note_added", data, organization }) as const);
    await rolledBack((tx) => bus.publishMany(events, { tx }));
    expect(await published()).toEqual([]);
    await inTransaction((tx) => bus.publishMany(events, { tx }));
    expect(await published()).toEqual([1, 2, 3]);
  });
}

interface Opened {
  readonly storage: SqlStorage<DialectName>;
  end(): unknown;
}

/** On the host's database, with connections of Posthorn's own. */
const STORAGES: { readonly [name in DialectName]: (host: HostDatabase) => Opened } = {
  postgres: ({ url, pglite }) => {
    const pool = new pg.Pool({ connectionString: url });
    return { storage: postgresStorage({ pool: pglite ?? pool }) as never, end: () => pool.end() };
  },
  mysql: ({ url }) => {
    const pool = createPool(url);
    return { storage: mysqlStorage({ pool }) as never, end: () => pool.end() };
  },
  sqlite: ({ openSqlite }) => {
    const connection = openSqlite?.();
    return { storage: sqliteStorage({ connection }) as never, end: () => connection?.close() };
  },
};
