import type { Claim } from "@posthorn/core";
import type { Process } from "./on-each-server.ts";
import { aGate, again, aLane, aSubscription, NOW, newId, settlementOf } from "./work.ts";

const LANES = 8;
/** In the storm's own time, of which a millisecond passes with each verb. */
const LEASE_MS = 50;

/**
 * Lets processes do everything at once and at random, for so long, in a few lanes that share a few
 * gates. Rejects if anything of it rejects.
 */
export async function storm(processes: readonly Process[], forMs: number): Promise<void> {
  const gates = [aGate(), aGate(), aGate()];
  const flights: Claim[] = [];
  let now = NOW;

  const someOrder = () => ({
    order: Math.random() < 0.3 ? ("skip_dead" as const) : ("none" as const),
  });
  const someGates = () => ({ gates: gates.filter(() => Math.random() < 0.6).reverse() });
  const someFlights = (): readonly Claim[] =>
    flights.splice(Math.floor(Math.random() * flights.length), 10);
  const claims = (alone: boolean) => ({ now, leaseMs: LEASE_MS, slots: 20, perLane: 10, alone });
  const page = { organization: "acme", limit: 50 };
  const aDelivery = async ({ storage }: Process, status: "pending" | "delivered") =>
    any((await storage.history.deliveries({ ...page, status })).items)?.id ?? "";
  const record = async ({ storage }: Process) =>
    any((await storage.subscriptions.list(page)).items);

  const verbs: readonly ((process: Process) => Promise<unknown>)[] = [
    async ({ publish }) => {
      await publish({ orderingKey: Math.random() < 0.5 ? "a" : null });
      await publish({ idempotencyKey: `key-${Math.floor(Math.random() * 9)}` });
    },
    async ({ route }) => {
      const begun = { now, leaseMs: LEASE_MS, slots: 5, perLane: 2 };
      flights.push(...(await route({ ...begun, maxEvents: 7 })).claims);
    },
    async ({ claim }) => flights.push(...(await claim(claims(false))).claims),
    async ({ claim }) => flights.push(...(await claim(claims(true))).claims),
    ({ succeed }) => succeed(someFlights()),
    ({ settle }) => settle(someFlights(), { ...again(now), subscription: { status: "warning" } }),
    ({ storage }) =>
      storage.settle(
        someFlights().map((flight, index) => settlementOf(flight, index % 2 === 0)),
        ({ plain }, state) => ({
          ...(plain ? { next: { status: "delivered" }, counted: true } : again(now)),
          gates: state.gates.map((gate) => ({ ...gate, epoch: gate.epoch + 1 })),
        }),
      ),
    ({ storage }) => storage.release(someFlights(), now),
    async (process) => {
      const deliveryId = await aDelivery(process, "pending");
      await process.storage.cancel({ organization: "acme", deliveryId, reason: "no", now });
    },
    async (process) => {
      const id = await aDelivery(process, "delivered");
      await process.storage.redeliver({ organization: "acme", id, newId: newId(), now });
    },
    ({ storage }) => storage.sweep({ now, expireBefore: now - 100, max: 20 }),
    ({ storage }) => storage.prune({ before: NOW + 1, max: 20 }),
    async (process) => {
      const known = await record(process);
      const parked = Math.random() < 0.3;
      const changed = known && { ...known, ...someOrder() };
      if (changed !== undefined) await process.save(changed, { ...someGates(), parked });
    },
    async (process) => {
      const known = await record(process);
      if (known === undefined) return;
      await process.storage.subscriptions.delete(known, now);
      await process.storage.subscriptions.create(aSubscription(someOrder()), aLane(someGates()));
    },
    async (process) => {
      const known = await record(process);
      if (known !== undefined) await process.storage.subscriptions.report(known, { status: "ok" });
    },
  ];

  for (let lane = 0; lane < LANES; lane += 1) {
    await processes[0]?.subscribe(someOrder(), someGates());
  }
  const end = performance.now() + forMs;
  const rage = async (process: Process): Promise<void> => {
    while (performance.now() < end) {
      now += 1;
      await any(verbs)?.(process);
    }
  };
  await Promise.all(processes.flatMap((process) => [rage(process), rage(process)]));
}

const any = <Item>(items: readonly Item[]): Item | undefined =>
  items[Math.floor(Math.random() * items.length)];
