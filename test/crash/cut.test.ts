import {
  admit,
  type Claim,
  createEventBus,
  lapse,
  type NewEvent,
  nodeSystem,
  planDeliveries,
  type RouteResult,
  type Settlement,
  type SettleResult,
  type Storage,
} from "@posthorn/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startProxy, type TcpProxy } from "../../packages/storage-sql/test/proxy.ts";
import type { OpenStorage } from "../ground/ground.ts";
import { grounds } from "../ground/grounds.ts";
import { type FreshDatabase, freshDatabase, mariadbServer, postgresServer } from "../servers.ts";
import { catalog, handlers } from "./orders.ts";

const organization = "acme";
const LEASE_MS = 10_000;
/** How many bytes lie between two places where the connection is cut. */
const STEP = 53;
const TIMEOUT_MS = 60_000;
const { id } = nodeSystem();

for (const name of ["postgres", "mysql"] as const) {
  const server = name === "postgres" ? postgresServer() : mariadbServer();

  describe.skipIf(server === null)(`a connection to ${name} that is cut anywhere`, () => {
    let database: FreshDatabase;
    let proxy: TcpProxy;
    let direct: OpenStorage;
    let proxied: OpenStorage;
    let wasCut = false;
    let now = Date.now();

    beforeAll(async () => {
      database = await freshDatabase(server as string);
      const url = new URL(database.url);
      proxy = await startProxy(Number(url.port), url.hostname, () => {
        wasCut = true;
      });
      url.port = String(proxy.port);
      direct = grounds[name].openStorage(database.url);
      const system = { ...nodeSystem(), sleep: async () => {} };
      proxied = grounds[name].openStorage(url.href, { system });
      await direct.storage.migrate();
      const bus = createEventBus({
        catalog,
        storage: direct.storage,
        handlers: handlers({ receiver: "", process: "", sendsLate: false }),
      });
      await bus.subscriptions.create({
        organization,
        name: "through a gate",
        eventTypes: ["*"],
        type: "post",
        configuration: { perSecond: 1_000_000 },
      });
    });

    afterAll(async () => {
      await proxied.close();
      await direct.close();
      await proxy.close();
      await database.drop();
    });

    /** Cuts the connection after one byte, then after a few more, until the work needs no more. */
    async function eachPlace(work: (cut: () => void) => Promise<void>): Promise<void> {
      let places = 0;
      do {
        wasCut = false;
        proxy.cutAfter(Number.POSITIVE_INFINITY);
        await proxied.storage.backlog(now);
        await work(() => proxy.cutAfter(1 + places * STEP));
        places += 1;
        now += 1;
      } while (wasCut);
      expect(places).toBeGreaterThan(5);
    }

    async function waiting(): Promise<void> {
      await direct.storage.append([event(now)]);
      expect(await route(direct.storage, now)).toMatchObject({ events: 1, deliveries: 1 });
    }

    it("while it appends: the event is there once, and only if somebody said so", {
      timeout: TIMEOUT_MS,
    }, async () => {
      await eachPlace(async (cut) => {
        const appended = event(now);
        cut();
        const first = await proxied.storage.append([appended]).catch(() => null);
        const before = await direct.storage.history.event({ organization, id: appended.id });
        if (first !== null) expect(before).not.toBeNull();
        await direct.storage.append([appended]);
        expect(await route(direct.storage, now)).toMatchObject({ events: 1, deliveries: 1 });
      });
    });

    it("while it routes: each delivery is made once", { timeout: TIMEOUT_MS }, async () => {
      await eachPlace(async (cut) => {
        const appended = event(now);
        await direct.storage.append([appended]);
        cut();
        await route(proxied.storage, now).catch(() => {});
        await route(direct.storage, now);
        const { items } = await direct.storage.history.deliveries({
          organization,
          eventId: appended.id,
          limit: 2,
        });
        expect(items).toHaveLength(1);
      });
    });

    it("while it claims: nobody else has it, and it is claimed again after the lease", {
      timeout: TIMEOUT_MS,
    }, async () => {
      await clear();
      await eachPlace(async (cut) => {
        await waiting();
        cut();
        const first = await claim(proxied.storage, now).catch(() => []);
        const second = await claim(direct.storage, now);
        expect(first.length + second.length).toBeLessThanOrEqual(1);
        now += LEASE_MS;
        const third = await claim(direct.storage, now);
        expect(third).toHaveLength(1);
        expect(await settle(direct.storage, third)).toEqual(["settled"]);
      });
    });

    it("while it settles: what it wrote can be repeated, and is written once", {
      timeout: TIMEOUT_MS,
    }, async () => {
      await clear();
      await eachPlace(async (cut) => {
        await waiting();
        const claimed = await claim(direct.storage, now);
        cut();
        const first = await settle(proxied.storage, claimed).catch(() => null);
        const second = await settle(direct.storage, claimed);
        if (first === null) expect(["settled", "repeated"]).toContain(second[0]);
        else expect(second).toEqual(["repeated"]);
        const reference = { organization, id: (claimed[0] as Claim).deliveryId };
        expect(await direct.storage.history.delivery(reference)).toMatchObject({
          status: "delivered",
          attempts: 1,
        });
        expect(await direct.storage.history.attempts(reference)).toHaveLength(1);
      });
    });

    /** Settles all that another test has left, as fast as the gate allows. */
    async function clear(): Promise<void> {
      while ((await direct.storage.backlog(now)).waiting.length > 0) {
        await settle(direct.storage, await claim(direct.storage, now, 100));
        now += 1_000;
      }
    }
  });
}

const event = (now: number): NewEvent => ({
  id: id(),
  organization,
  type: "order_placed",
  occurredAt: now,
  publishedAt: now,
  actor: null,
  trace: null,
  payload: '{"label":"one","at":1}',
  orderingKey: null,
  idempotencyKey: null,
  announced: true,
});

const terms = (now: number, slots: number) => ({
  handlerTypes: ["post"],
  keyIds: [],
  now,
  token: id(),
  leaseMs: LEASE_MS,
  slots,
  perLane: slots,
});

const route = (storage: Storage, now: number): Promise<RouteResult> =>
  storage.route({ ...terms(now, 1), maxEvents: 10, maxDeliveries: 10 }, (input) =>
    planDeliveries(input, id),
  );

async function claim(storage: Storage, now: number, slots = 1): Promise<readonly Claim[]> {
  const request = { ...terms(now, slots), alone: false };
  return (await storage.claim(request, { admit, lapse })).claims;
}

const settle = (storage: Storage, claims: readonly Claim[]): Promise<readonly SettleResult[]> =>
  storage.settle(
    claims.map(
      ({ deliveryId, subscriptionId, token, delivery }): Settlement => ({
        deliveryId,
        subscriptionId,
        token,
        delivery,
        plain: false,
        attempt: {
          deliveryId,
          token,
          startedAt: 1,
          durationMs: 1,
          outcome: "delivered",
          reason: null,
          remedy: null,
          details: null,
          together: 1,
        },
      }),
    ),
    (_, { delivery, gates }) => ({
      next: { status: "delivered", attempts: delivery.attempts + 1 },
      counted: true,
      gates,
      subscription: { status: "ok" },
    }),
  );
