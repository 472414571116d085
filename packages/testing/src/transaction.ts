import {
  type Appended,
  type LaneDefinition,
  type NewEvent,
  PosthornError,
  type Reference,
  type Storage,
  type StoredEvent,
  type SubscriptionRecord,
} from "@posthorn/core";

/** A storage that takes any object for a transaction, and keeps what is written with it apart. */
export interface TransactionalStorage<Tx extends object> {
  readonly storage: Storage<Tx>;
  /** Writes what was kept, in the order in which it came. */
  commit(tx: Tx): Promise<void>;
  /** Forgets what was kept. */
  rollback(tx: Tx): void;
}

interface Open {
  readonly events: NewEvent[];
  /** Subscriptions as this transaction sees them; null where it deleted one. */
  readonly subscriptions: Map<string, SubscriptionRecord | null>;
  readonly writes: (() => Promise<unknown>)[];
}

/**
 * Adds transactions to a storage that has none, for tests of hosts that publish in theirs: what
 * is written with a `tx` becomes visible at `commit`, and never if it is rolled back.
 */
export function transactional<Tx extends object>(inner: Storage): TransactionalStorage<Tx> {
  const open = new Map<Tx, Open>();
  const ended = new WeakSet<Tx>();
  const known = new Map<string, Appended["event"]>();

  function opened(tx: Tx): Open {
    if (typeof tx !== "object" || tx === null || ended.has(tx)) {
      throw new PosthornError(
        "unknown_transaction",
        ended.has(tx)
          ? "This transaction has already been committed or rolled back. Publish before it ends."
          : `A transaction is an object, not ${tx === null ? "null" : `a ${typeof tx}`}.`,
      );
    }
    const found = open.get(tx) ?? { events: [], subscriptions: new Map(), writes: [] };
    open.set(tx, found);
    return found;
  }

  function keep(events: readonly NewEvent[], tx: Tx): readonly Appended[] {
    const kept = opened(tx).events;
    return events.map((event) => {
      const earlier = kept.find(
        ({ id, organization, idempotencyKey }) =>
          id === event.id ||
          (idempotencyKey !== null &&
            organization === event.organization &&
            idempotencyKey === event.idempotencyKey),
      );
      const found = earlier ?? known.get(keyOf(event));
      if (found === undefined) kept.push(event);
      return {
        event: asStored(found ?? event),
        repeated: found !== undefined && found.id !== event.id,
      };
    });
  }

  async function append(events: readonly NewEvent[]): Promise<readonly Appended[]> {
    const appended = await inner.append(events);
    for (const [index, event] of events.entries()) {
      const stored = appended[index]?.event;
      if (event.idempotencyKey !== null && stored !== undefined) known.set(keyOf(event), stored);
    }
    return appended;
  }

  async function get(reference: Reference, tx?: Tx): Promise<SubscriptionRecord | null> {
    const seen = tx === undefined ? undefined : opened(tx).subscriptions.get(reference.id);
    if (seen === undefined) return inner.subscriptions.get(reference);
    return seen?.organization === reference.organization ? seen : null;
  }

  /** Notes a write of a subscription, to be done at commit. */
  function note(
    tx: Tx,
    id: string,
    record: SubscriptionRecord | null,
    write: () => Promise<unknown>,
  ): void {
    const { subscriptions, writes } = opened(tx);
    subscriptions.set(id, record);
    writes.push(write);
  }

  const { subscriptions } = inner;
  return {
    storage: {
      ...inner,
      append: async (events, tx) => (tx === undefined ? append(events) : keep(events, tx)),
      appendSync: keep,
      subscriptions: {
        ...subscriptions,
        get,
        create: async (record: SubscriptionRecord, lane: LaneDefinition, tx?: Tx) => {
          if (tx === undefined) return subscriptions.create(record, lane);
          note(tx, record.id, record, () => subscriptions.create(record, lane));
          return null;
        },
        update: async (record: SubscriptionRecord, lane: LaneDefinition, tx?: Tx) => {
          if (tx === undefined) return subscriptions.update(record, lane);
          if ((await get(record, tx))?.version !== record.version - 1) return false;
          note(tx, record.id, record, () => subscriptions.update(record, lane));
          return true;
        },
        delete: async (reference: Reference, now: number, tx?: Tx) => {
          if (tx === undefined) return subscriptions.delete(reference, now);
          if ((await get(reference, tx)) === null) return false;
          note(tx, reference.id, null, () => subscriptions.delete(reference, now));
          return true;
        },
      },
    },
    commit: async (tx) => {
      const { events, writes } = opened(tx);
      open.delete(tx);
      ended.add(tx);
      await append(events);
      for (const write of writes) await write();
    },
    rollback: (tx) => {
      opened(tx);
      open.delete(tx);
      ended.add(tx);
    },
  };
}

function asStored(event: NewEvent | StoredEvent): StoredEvent {
  const { idempotencyKey: _key, announced: _announced, ...stored } = event as NewEvent;
  return stored;
}

const keyOf = ({ organization, idempotencyKey }: NewEvent): string =>
  JSON.stringify([organization, idempotencyKey]);
