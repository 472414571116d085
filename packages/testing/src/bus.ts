import {
  type Catalog,
  createEventBus,
  type Drained,
  type EventBus,
  type EventBusOptions,
  type Handler,
} from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { type VirtualSystem, type VirtualSystemOptions, virtualSystem } from "./system.ts";
import { transactional } from "./transaction.ts";

/** A bus for tests: in memory, in virtual time, with transactions that the test ends. */
export interface TestBus<C extends Catalog, H extends Handler = Handler>
  extends EventBus<C, H, object> {
  /** The bus's time, chance and ids. */
  readonly system: VirtualSystem;
  /**
   * Lets `ms` milliseconds pass, and with them everything that becomes due: retries, rate limits,
   * deadlines. Resolves when all of it has happened; nothing sleeps in real time.
   */
  advance(ms: number): Promise<void>;
  /** The host's transaction commits: what was published with it happens. */
  commit(tx: object): Promise<void>;
  /** The host's transaction is rolled back: what was published with it never happens. */
  rollback(tx: object): void;
}

export interface TestBusOptions<C extends Catalog, H extends Handler>
  extends Omit<EventBusOptions<C, H>, "storage" | "system">,
    VirtualSystemOptions {}

const testKey = {
  id: "test",
  key: Buffer.from("a key that is only good for tests").subarray(0, 32),
};

/** How long, in real milliseconds, a handler's real I/O may take before virtual time moves on. */
const PATIENCE_MS = 100;

/**
 * Creates a bus for tests. `tx` may be any object: what is published with it is kept apart until
 * `bus.commit(tx)` or `bus.rollback(tx)`.
 */
export function createTestBus<C extends Catalog, const H extends Handler>(
  options: TestBusOptions<C, H>,
): TestBus<C, H> {
  const { startAt, seed, ...rest } = options;
  const system = virtualSystem({ startAt, seed });
  const { storage, commit, rollback } = transactional<object>(memoryStorage());
  const bus = createEventBus<C, H, object>({ encryptionKeys: [testKey], ...rest, storage, system });

  /** Drains; moves the time, up to `target`, if a handler waits for it to pass. */
  async function drainUntil(target: number): Promise<Drained> {
    const drained = bus.drain();
    for (;;) {
      const result = await Promise.race([drained, realTime(PATIENCE_MS)]);
      if (result !== undefined) return result;
      const next = system.nextWakeAt;
      if (next !== null && next <= target) system.moveTo(next);
    }
  }

  return {
    ...bus,
    system,
    advance: async (ms) => {
      const target = system.now() + ms;
      for (;;) {
        const { nextDueAt } = await drainUntil(target);
        const next = Math.min(nextDueAt ?? target, system.nextWakeAt ?? target);
        if (system.now() >= target) return;
        system.moveTo(Math.min(Math.max(next, system.now()), target));
      }
    },
    commit: async (tx) => {
      await commit(tx);
      bus.wake();
    },
    rollback,
  };
}

const realTime = (ms: number): Promise<undefined> =>
  new Promise((resolve) => {
    setTimeout(() => resolve(undefined), ms).unref();
  });
