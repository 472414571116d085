import { inspect } from "node:util";
import { createEventBus, defineHandler, delivered, type Logger } from "@posthorn/core";
import { http } from "@posthorn/handler-http";
import { createRestApi } from "@posthorn/rest";
import { memoryStorage } from "@posthorn/storage-memory";
import { mysqlStorage } from "@posthorn/storage-sql/mysql";
import { postgresStorage } from "@posthorn/storage-sql/postgres";
import { sqliteStorage } from "@posthorn/storage-sql/sqlite";
import pg from "pg";
import { object } from "valibot";
import { pagerWebhook, type World } from "../../packages/rest/test/acme.ts";
import { type BadInput, badInput, each, thrown } from "./case.ts";

const handler = (more: object = {}) =>
  defineHandler({
    type: "x",
    configuration: object({}),
    deliver: async () => delivered(),
    ...more,
  });

/** Makes a bus of these options beside good ones. */
const bus = ({ bus: { catalog } }: World, options: object): Promise<string> =>
  thrown(() =>
    createEventBus({
      catalog,
      storage: memoryStorage(),
      handlers: [handler()],
      ...options,
    } as never),
  );

const key = (length: number, fill = 7): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index + fill) & 0xff);

/** Whether what is thrown says a secret, anywhere in it. */
async function repeats(secret: string, act: () => unknown): Promise<string> {
  try {
    await act();
    return "nothing was thrown";
  } catch (error) {
    return inspect(error, { depth: 20, showHidden: true }).includes(secret)
      ? "repeated"
      : "not repeated";
  }
}

/** What the host's own code gives. */
export const hostOptions: readonly BadInput[] = [
  badInput("C01", "a lease that is no longer than a call", "invalid_options", (world) =>
    each([{ leaseMs: 15_000 }, { leaseMs: 10, handlerTimeoutMs: 20 }, { leaseMs: -1 }], (options) =>
      bus(world, options),
    ),
  ),
  badInput("C02", "a concurrency that is none", "invalid_options", (world) =>
    each([0, -1, Number.NaN, 1e9, 1.5, "5"], (concurrency) => bus(world, { concurrency })),
  ),
  badInput("C03", "a poll that is too often, or overflows", "invalid_options", (world) =>
    each([0, Number.NaN, 2 ** 31, -1], (pollMs) => bus(world, { pollMs })),
  ),
  badInput("C04", "retries without end or sense", "invalid_options", (world) =>
    each(
      [
        { delaysMs: null, jitter: 0, maxAgeMs: 1e6 },
        { delaysMs: [Number.POSITIVE_INFINITY], jitter: 0, maxAgeMs: 1e6 },
        { delaysMs: [1], jitter: 2, maxAgeMs: 1e6 },
        { delaysMs: [1], jitter: 0, maxAgeMs: Number.POSITIVE_INFINITY },
      ],
      (retry) => bus(world, { retry }),
    ),
  ),
  badInput("C05", "delays that are none", "invalid_options", (world) =>
    each([[Number.NaN], [-1], [0], ["1"]], (delaysMs) =>
      bus(world, { retry: { delaysMs, jitter: 0, maxAgeMs: 1e6 } }),
    ),
  ),
  badInput("C06", "encryption keys that are none", "invalid_options", (world) =>
    each(
      [
        [{ id: "a", key: key(31) }],
        [{ id: "a", key: key(33) }],
        [{ id: "a", key: Buffer.from(key(32)).toString("hex") }],
        [{ id: "a", key: new Uint8Array(32) }],
        [
          { id: "a", key: key(32) },
          { id: "a", key: key(32, 9) },
        ],
        [{ id: "a b", key: key(32) }],
      ],
      (encryptionKeys) => bus(world, { encryptionKeys }),
    ),
  ),
  badInput("C07", "prefixes of tables that are none", "invalid_options", () =>
    each(["a; DROP TABLE x", 'a"', "a".repeat(64), "\u00e4", "1a", "a-b"], (prefix) =>
      thrown(() => sqliteStorage({ file: "unused.db", prefix })),
    ),
  ),
  badInput("C08", "the URL of a database, with its password, for a pool", "not repeated", () => {
    const url = "postgres://ana:canary-4be2@db.test/app";
    return each(
      [
        () => postgresStorage({ pool: url as never }),
        () => postgresStorage({ pool: { connectionString: url } as never }),
        () => postgresStorage({ connectionString: url } as never),
        () => mysqlStorage({ pool: url as never }),
        () => sqliteStorage({ file: { url } as never }),
        () => sqliteStorage({ file: url }),
        () => http({ proxyUrl: "socks5://ana:canary-4be2@proxy.test" }),
        () => http({ guard: { allow: [url] } }),
      ],
      async (make) => repeats("canary-4be2", make),
    );
  }),
  badInput(
    "C08",
    "a database that nobody answers at, with a password",
    "not repeated",
    async () => {
      const pool = new pg.Pool({ connectionString: "postgres://ana:canary-4be2@127.0.0.1:9/app" });
      const end = await repeats("canary-4be2", () => postgresStorage({ pool }).migrate());
      await pool.end();
      return end;
    },
  ),
  badInput("C09", "two handlers of one type", "invalid_options", (world) =>
    bus(world, { handlers: [handler(), handler()] }),
  ),
  badInput("C09", "handlers that are none", "invalid_options", (world) =>
    each(
      [[null], [{}], [handler({ type: "A B" })], [handler({ deliver: undefined })], "x"],
      (handlers) => bus(world, { handlers }),
    ),
  ),
  badInput("C10", "a storage or a transport that lacks a method", "invalid_options", (world) =>
    each(
      [
        { storage: {} },
        { storage: null },
        { storage: { ...memoryStorage(), close: 1 } },
        { transport: {} },
      ],
      (options) => bus(world, options),
    ),
  ),
  badInput(
    "C11",
    "an option that opens everything, which is not there",
    "invalid_options",
    (world) => bus(world, { allowPrivateNetworks: true }),
  ),
  badInput(
    "C11",
    "an option of the guard that is mistyped, or opens everything",
    "invalid_options",
    () =>
      each(
        [
          { guard: { denny: ["10.0.0.1"] } },
          { guard: { allowPrivateNetworks: true } },
          { guard: { http: "false" } },
          { insecure: true },
        ],
        (options) => thrown(() => http(options as never)),
      ),
  ),
  badInput("C12", "limits of gates that are none", "invalid_options", (world) =>
    each(
      [
        { limit: 0, perMs: 1 },
        { limit: 1, perMs: 0 },
        { limit: 1 },
        { limit: 1, perMs: 1, burst: 0 },
      ],
      async (limit) => {
        const {
          bus: { catalog },
        } = world;
        const gates = () => [{ name: "g", key: "k", ...limit }];
        const made = createEventBus({
          catalog,
          storage: memoryStorage(),
          handlers: [handler({ gates })],
        });
        return thrown(() =>
          made.subscriptions.create({
            organization: "acme",
            name: "N",
            eventTypes: ["*"],
            type: "x",
            configuration: {},
          }),
        );
      },
    ),
  ),
  badInput("C13", "options that are proxies, or frozen, are read like others", "ok", (world) =>
    each([Object.freeze({ pollMs: 50 }), new Proxy({ pollMs: 50 }, {})], (options) =>
      bus(world, options),
    ),
  ),
  badInput("C14", "networks and hosts that are none", "invalid_options", () =>
    each(["127.0.0.0/invalid", "10.0.0.0/33", "10.0.0", "https://x", "", "a b"], (rule) =>
      thrown(() => http({ guard: { allow: [rule] } })),
    ),
  ),
  badInput("C15", "a logger that throws, rejects or is slow", "201", async ({ bus: made }) => {
    const throwing = (): never => {
      throw new Error("disk full");
    };
    const logger: Logger = { debug: throwing, info: throwing, warn: throwing, error: throwing };
    const api = createRestApi({
      bus: made,
      authenticate: () => ({ organization: "acme" }),
      logger,
    });
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify(pagerWebhook);
    const { status } = await api.fetch(
      new Request("http://api.test/api/v1/webhooks/", { method: "POST", headers, body }),
    );
    return String(status);
  }),
];
