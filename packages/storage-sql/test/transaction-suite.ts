import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type DialectName, sent } from "../src/dialect.ts";
import {
  change,
  type MaybePromise,
  type Param,
  play,
  playAsync,
  type Reply,
  rowsOf,
  type Script,
} from "../src/script.ts";
import type { SqlTransaction } from "../src/transaction/transaction.ts";
import { dialects, type HostDatabase, hostDatabases } from "./host.ts";
import { inTurn, isLater } from "./in-turn.ts";
import { publishingSuite } from "./publishing-suite.ts";

/** How the tests drive a library. */
export interface Library<Tx> {
  /** Runs `work` in a transaction, which commits, or rolls back if it throws. */
  transaction(work: (tx: Tx) => MaybePromise<unknown>): unknown;
  /** The same in a savepoint. */
  savepoint(tx: Tx, work: (tx: Tx) => MaybePromise<unknown>): unknown;
  wrap(tx: Tx): SqlTransaction;
  end(): unknown;
}

export interface LibraryUnderTest<Tx> {
  readonly dialect: DialectName;
  readonly isSync?: boolean;
  /** Whether what runs in a transaction may await. Default true. */
  readonly awaits?: boolean;
  /** Default: a database on a server, or a file. */
  readonly host?: () => Promise<HostDatabase>;
  open(host: HostDatabase): MaybePromise<Library<Tx>>;
}

/** What the parts of the suite share. */
export interface Stage<Tx> extends Pick<LibraryUnderTest<Tx>, "dialect"> {
  readonly isSync: boolean;
  readonly awaits: boolean;
  /** Whether what is committed can be looked at while a transaction is open. */
  readonly canLook: boolean;
  host(): HostDatabase;
  library(): Library<Tx>;
  /** Runs `work` in a transaction of the library's. */
  inTransaction<Result>(
    work: (tx: SqlTransaction, given: Tx) => MaybePromise<Result>,
  ): Promise<Result>;
  /** Runs `work` in one that is then rolled back; answers it. */
  rolledBack(work: (tx: SqlTransaction) => MaybePromise<unknown>): Promise<SqlTransaction>;
  /** Runs `work` in a savepoint that is then rolled back. */
  undone(given: Tx, work: (tx: SqlTransaction) => MaybePromise<unknown>): MaybePromise<void>;
  /** The ids of the committed notes. */
  notes(): Promise<readonly string[]>;
}

/** What every adapter keeps to. */
export function transactionSuite<Tx>(title: string, tested: LibraryUnderTest<Tx>): void {
  const { dialect, isSync = false, awaits = true } = tested;
  const openHost = tested.host ?? hostDatabases[dialect];
  // Which server is missing, and how to have one, is told at the end of the run.
  describe.skipIf(openHost === null)(title, () => {
    if (openHost === null) return;
    let host: HostDatabase;
    let library: Library<Tx>;
    beforeAll(async () => {
      host = await openHost();
      library = await tested.open(host);
    }, 60_000);
    afterAll(async () => {
      await library?.end();
      await host?.drop();
    });

    const changedMyMind = new Error("changed my mind");
    const inTransaction: Stage<Tx>["inTransaction"] = async <Result>(
      work: (tx: SqlTransaction, given: Tx) => MaybePromise<Result>,
    ) => {
      let result: Result | undefined;
      await library.transaction((given) =>
        inTurn(
          () => work(library.wrap(given), given),
          (answer) => {
            result = answer as Result;
          },
        ),
      );
      return result as Result;
    };
    const stage: Stage<Tx> = {
      dialect,
      isSync,
      awaits,
      canLook: !isSync && tested.host === undefined,
      host: () => host,
      library: () => library,
      inTransaction,
      rolledBack: async (work) => {
        let seen: SqlTransaction | undefined;
        const all = inTransaction((tx) => {
          seen = tx;
          return inTurn(
            () => work(tx),
            () => {
              throw changedMyMind;
            },
          );
        });
        await expect(all).rejects.toBe(changedMyMind);
        return seen as SqlTransaction;
      },
      undone: (given, work) => {
        const forgive = (error: unknown): void => {
          if (error !== changedMyMind) throw error;
        };
        try {
          const done = library.savepoint(given, (inner) =>
            inTurn(
              () => work(library.wrap(inner)),
              () => {
                throw changedMyMind;
              },
            ),
          );
          if (isLater(done)) return Promise.resolve(done).then(() => {}, forgive);
        } catch (error) {
          forgive(error);
        }
      },
      notes: async () => (await host.notes()).map(({ id }) => String(id)),
    };

    beforeEach(() =>
      inTransaction((tx) => run(tx, () => change("delete from notes"))).then(() => {}),
    );
    describe("carries statements", () => statementsSuite(stage));
    describe("publishes", () => publishingSuite(stage));
  });
}

function statementsSuite<Tx>(stage: Stage<Tx>): void {
  const { dialect, isSync, inTransaction, rolledBack, undone, notes } = stage;

  it(`tells its dialect, and answers ${isSync ? "at once" : "later"}`, async () => {
    await inTransaction((tx) => {
      expect(tx).toMatchObject({ dialect, isSync });
      const reply = tx.execute({ text: "select 1 as one", params: [] });
      expect(reply instanceof Promise).toBe(!isSync);
      return reply;
    });
  });

  it("what is executed commits with the transaction, and is not seen before", async () => {
    await inTransaction((tx) =>
      inTurn(
        () => run(tx, () => insert(dialect, { id: "first" })),
        () => run(tx, () => insert(dialect, { id: "second" })),
        () => (stage.canLook ? expect(notes()).resolves.toEqual([]) : undefined),
      ),
    );
    expect(await notes()).toEqual(["first", "second"]);
  });

  it("what is executed is rolled back with the transaction", async () => {
    await rolledBack((tx) => run(tx, () => insert(dialect, { id: "early" })));
    expect(await notes()).toEqual([]);
  });

  it("what is executed is rolled back with its savepoint, and with that alone", async () => {
    await inTransaction((tx, given) =>
      inTurn(
        () => run(tx, () => insert(dialect, { id: "kept" })),
        () =>
          undone(given, (inner) =>
            inTurn(
              () => inner.assertOpen(),
              () => run(inner, () => insert(dialect, { id: "undone" })),
            ),
          ),
        () => tx.assertOpen(),
        () => run(tx, () => insert(dialect, { id: "later" })),
      ),
    );
    expect(await notes()).toEqual(["kept", "later"]);
  });

  it("asking whether it is open changes nothing, however often", async () => {
    await inTransaction((tx) =>
      inTurn(
        () => tx.assertOpen(),
        () => run(tx, () => insert(dialect, { id: "one" })),
        () => tx.assertOpen(),
        () => tx.assertOpen(),
        () => run(tx, () => insert(dialect, { id: "two" })),
      ),
    );
    expect(await notes()).toEqual(["one", "two"]);
  });

  it("a transaction that was committed is not open", async () => {
    const tx = await inTransaction((open) => open);
    await expect(async () => tx.assertOpen()).rejects.toThrow(NOT_OPEN);
  });

  it("a transaction that was rolled back is not open", async () => {
    const tx = await rolledBack(() => {});
    await expect(async () => tx.assertOpen()).rejects.toThrow(NOT_OPEN);
  });

  it.each([
    ["question marks and what other drivers replace", "? ?? \\? $1 $2::text :name @name %s"],
    ["quotes and comments", `' " \` '' "" -- /* */ ;`],
    ["backslashes", "\\ \\\\ \\n \\' C:\\new"],
    ["emoji and other scripts", "🦄 é ß 漢字 \u{10ffff}"],
    ["control characters", "\n\r\t\u0001\u001a\u007f"],
    ["nothing", ""],
    ["a number in words", "0042"],
    ["JSON", '{"a":["b\\"c",null,1.5e3]}'],
    ["a megabyte", "x🦄".repeat(200_000)],
  ])("text keeps %s", async (_, body) => {
    const [row] = await inTransaction((tx) =>
      run(tx, function* () {
        yield* insert(dialect, { id: "note", body });
        return yield* rowsOf("select body from notes");
      }),
    );
    expect(row?.["body"]).toBe(body);
    const [committed] = await stage.host().notes();
    expect(committed?.["body"]).toBe(body);
  });

  it.each([0, -1, 1_795_500_000_000_000, Number.MAX_SAFE_INTEGER])(
    "integers keep %d",
    async (amount) => {
      const [row] = await inTransaction((tx) =>
        run(tx, function* () {
          yield* insert(dialect, { id: "note", amount });
          return yield* rowsOf("select amount from notes");
        }),
      );
      expect(Number(row?.["amount"])).toBe(amount);
      const [committed] = await stage.host().notes();
      expect(Number(committed?.["amount"])).toBe(amount);
    },
  );

  it("null stays null", async () => {
    const [row] = await inTransaction((tx) =>
      run(tx, function* () {
        yield* insert(dialect, { id: "note", body: null, amount: null });
        return yield* rowsOf("select body, amount from notes");
      }),
    );
    expect({ ...row }).toEqual({ body: null, amount: null });
  });

  it("rows that are sent as one JSON text arrive in order, and come back under their columns' names", async () => {
    const given = Array.from({ length: 50 }, (_, index) => ({
      id: `n${index}`,
      body: index % 3 === 0 ? null : `it's "${index}" \\ ?`,
      amount: 1_795_500_000_000_000 + index,
    }));
    const rows = dialects[dialect].rows("r", { id: "text", body: "text", amount: "int" });
    const { inserted, selected } = await inTransaction((tx) =>
      run(tx, function* () {
        const inserted = yield* change(
          `insert into notes (id, body, amount) select r.id, r.body, r.amount from ${rows} order by r.nr`,
          sent(given),
        );
        const selected = yield* rowsOf(
          "select id as note_id, body as its_body_text, amount as a2 from notes order by amount",
        );
        return { inserted, selected };
      }),
    );
    expect(inserted).toBe(50);
    const back = selected.map((row) => ({
      id: String(row["note_id"]),
      body: row["its_body_text"],
      amount: Number(row["a2"]),
    }));
    expect(back).toEqual(given);
  });

  it("tells how many rows a statement changed", async () => {
    const id = dialect === "postgres" ? "?::text" : "?";
    const changed = await inTransaction((tx) =>
      run(tx, function* () {
        for (const id of ["a", "b", "c"]) yield* insert(dialect, { id });
        return [
          yield* change(`update notes set amount = 2 where id <> ${id}`, "c"),
          yield* change(`update notes set amount = 3 where id = ${id}`, "c"),
          yield* change(`delete from notes where id = ${id}`, "c"),
          yield* change(`delete from notes where id = ${id}`, "c"),
        ];
      }),
    );
    expect(changed).toEqual([2, 1, 1, 0]);
  });

  it("what the database refuses is the database's own error", async () => {
    const doubled = inTransaction((tx) =>
      run(tx, function* () {
        yield* insert(dialect, { id: "twice" });
        yield* insert(dialect, { id: "twice" });
      }),
    );
    await expect(doubled).rejects.toThrow(/duplicate|UNIQUE/i);
    expect(await notes()).toEqual([]);
  });

  if (dialect === "mysql") return;

  it("rows that a statement returns are answered, with their number", async () => {
    const reply = await inTransaction((tx) =>
      run(tx, function* (): Script<Reply> {
        const { text, params } = insertion(dialect, { id: "note", body: "here" });
        return yield { text: `${text} returning id, body`, params };
      }),
    );
    expect(reply.rows.map((row) => ({ ...row }))).toEqual([{ id: "note", body: "here" }]);
    expect(reply.affected).toBe(1);
  });

  it("operators of JSON and casts pass as they are", async () => {
    const json = dialect === "postgres" ? "?::text::json" : "?";
    const text = `select ${json} ->> 'b' as b, ${json} -> 'c' ->> 'd' as d`;
    const [row] = await inTransaction((tx) =>
      run(tx, () => rowsOf(text, '{"b":"?"}', '{"c":{"d":"$1"}}')),
    );
    expect({ ...row }).toEqual({ b: "?", d: "$1" });
  });
}

const NOT_OPEN = expect.objectContaining({
  code: "unknown_transaction",
  message: expect.stringContaining("is not open: it has ended, or was never begun. Pass "),
});

const run = <Result>(tx: SqlTransaction, script: () => Script<Result>): MaybePromise<Result> =>
  tx.isSync
    ? play(script(), (statement) => tx.execute(statement) as Reply)
    : playAsync(script(), (statement) => tx.execute(statement));

interface Note {
  readonly id: string;
  readonly body?: string | null;
  readonly amount?: number | null;
}

function* insert(dialect: DialectName, note: Note): Script<void> {
  yield insertion(dialect, note);
}

function insertion(
  dialect: DialectName,
  { id, body = null, amount = null }: Note,
): { readonly text: string; readonly params: readonly Param[] } {
  const values = dialect === "postgres" ? "?::text, ?::text, ?::bigint" : "?, ?, ?";
  const text = `insert into notes (id, body, amount) values (${values})`;
  return { text, params: [id, body, amount] };
}
