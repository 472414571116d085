import { type EventBus, type Handler, isPosthornError } from "@posthorn/core";
import type { catalog } from "./cluster.ts";
import type { Database } from "./database.ts";
import type { Life } from "./life.ts";
import type { Entry } from "./log.ts";
import type { Publish } from "./plan.ts";
import type { World } from "./world.ts";

/** A process that is up, with its bus. */
export interface Running {
  readonly life: Life;
  readonly bus: EventBus<typeof catalog, Handler, object>;
}

/** How long somebody waits for an answer before asking again, and between. */
const PATIENCE_MS = 10_000;
const AGAIN_MS = 300;

/** The host's own code: it publishes, and where it has a key, it insists. */
export interface Host {
  publish(order: Publish): void;
  /** How many publishes are not over. */
  readonly busy: number;
}

export function createHost(options: {
  readonly world: World;
  readonly database: Database;
  readonly write: (entry: Entry) => void;
  /** The process, or another if it is down; null if all are. */
  running(process: number): Running | null;
  readonly kill: (life: Life) => void;
  readonly pause: (life: Life) => void;
}): Host {
  const { world, database, write, running, kill, pause } = options;
  const tried = new Set<string>();
  let busy = 0;

  const rest = (life: Life, ms: number): Promise<void> =>
    new Promise((resolve) => world.at(ms, () => resolve(), life));

  /** Publishes once, as the code of one process. */
  async function attempt({ life, bus }: Running, order: Publish): Promise<void> {
    const { label, type, organization, orderingKey, idempotencyKey, transaction } = order;
    const given = {
      organization,
      orderingKey: orderingKey ?? undefined,
      idempotencyKey: idempotencyKey ?? undefined,
      occurredAt: label.length % 2 === 0 ? life.system.now() : undefined,
    };
    write({ type: "publishing", at: world.now, process: life.name, label });
    if (transaction === null) {
      await bus.publish(type, { label }, given);
      return;
    }
    const tx = database.begin();
    await bus.publish(type, { label }, { ...given, tx });
    await rest(life, transaction.openMs);
    if (transaction.end === "kill") return kill(life);
    if (transaction.end === "pause") pause(life);
    if (transaction.end === "rollback") return database.rollback(life, tx);
    await rest(life, 1);
    await database.commit(life, tx);
    if (transaction.openMs % 2 === 0) bus.wake();
  }

  return {
    get busy() {
      return busy;
    },
    publish: (order) => {
      busy += 1;
      const isFinal = order.idempotencyKey === null || order.transaction?.end === "rollback";
      let over = false;
      const finish = (): void => {
        if (!over) busy -= 1;
        over = true;
      };
      const acknowledge = (): void => {
        if (over) return;
        if (order.transaction?.end !== "rollback") {
          write({ type: "acknowledged", at: world.now, label: order.label });
        }
        finish();
      };
      const begin = (): void => {
        if (over) return;
        const where = running(order.process);
        if (where === null) {
          world.at(AGAIN_MS, begin);
          return;
        }
        let isAnswered = false;
        const again = (error?: unknown): void => {
          if (isAnswered || over) return;
          isAnswered = true;
          if (isFinal || isPosthornError(error, "idempotency_conflict")) finish();
          else world.at(AGAIN_MS, begin);
        };
        attempt(where, { ...order, transaction: calmer(order) }).then(() => {
          if (!where.life.alive) return;
          isAnswered = true;
          acknowledge();
        }, again);
        world.at(PATIENCE_MS, again);
      };
      begin();
    },
  };

  /** What kills or stops a process does so once: the host's next try is an ordinary one. */
  function calmer({ transaction, label }: Publish): Publish["transaction"] {
    if (transaction === null || !tried.has(label)) {
      tried.add(label);
      return transaction;
    }
    const isStrange = transaction.end === "kill" || transaction.end === "pause";
    return isStrange ? { ...transaction, end: "commit" } : transaction;
  }
}
