import { PosthornError, type Storage } from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import { transactional } from "@posthorn/testing";
import type { Chance } from "../crash/chance.ts";
import type { Life } from "./life.ts";
import type { Entry } from "./log.ts";
import type { Weatherman } from "./weatherman.ts";
import { createWitness } from "./witness.ts";
import type { World } from "./world.ts";

/**
 * A database as processes see it: the in-memory storage at the end of a wire. Whatever goes over
 * the wire takes its time, and may be lost on either way: then nobody knows what happened.
 */
export interface Database {
  connect(life: Life): Storage<object>;
  /** A transaction of the host's. */
  begin(): object;
  commit(life: Life, tx: object): Promise<void>;
  rollback(life: Life, tx: object): Promise<void>;
  /** Loses what is on its way and open transactions, and refuses everything for so long. */
  restart(ms: number): void;
  /** Writes down what is left of all deliveries. */
  recall(): Promise<void>;
}

export function createDatabase(options: {
  readonly world: World;
  readonly chance: Chance;
  readonly weather: Weatherman;
  readonly write: (entry: Entry) => void;
  readonly kill: (life: Life) => void;
  readonly pause: (life: Life, ms: number) => void;
}): Database {
  const { world, chance, weather, write, kill, pause } = options;
  const clock = (): number => world.now;
  const witness = createWitness(transactional<object>(memoryStorage()), { clock, write });
  let restarts = 0;
  let refusesUntil = 0;

  const way = (): number =>
    weather.strikes("slow storage") ? chance.between(100, 1_500) : chance.between(1, 6);

  function call<Value>(
    life: Life,
    method: string,
    effect: (storage: Storage<object>) => Promise<Value>,
  ): Promise<Value> {
    const connection = restarts;
    const sentAt = world.now;
    return new Promise((resolve, reject) => {
      if (!life.alive) return;
      const answer = (act: () => void): void => world.at(way(), act, life);
      const lose = (when: "before" | "after"): void => {
        write({ type: "lost", at: world.now, process: life.name, method, when });
        reject(chance.next() < 0.5 ? connectionLost() : unavailable());
      };
      const isCut = (): boolean =>
        connection !== restarts || world.now < Math.max(refusesUntil, life.offlineUntil);
      world.at(way(), async () => {
        if (isCut() || weather.strikes("lost request")) return answer(() => lose("before"));
        const crash = weather.strikes("crash at storage") ? chance.pick(["before", "after"]) : null;
        if (crash === "before") return kill(life);
        let value: Value;
        try {
          value = await effect(witness.heard({ process: life.name, sentAt }));
        } catch (error) {
          return answer(() => reject(error));
        }
        if (crash === "after") return kill(life);
        const isLost = weather.strikes("lost answer");
        if (weather.strikes("stall at storage")) pause(life, chance.between(200, 15_000));
        answer(() => (isLost || isCut() ? lose("after") : resolve(value)));
      });
    });
  }

  /** Every method of a storage, called over the wire. */
  function wired<Methods extends object>(
    life: Life,
    names: readonly (keyof Methods & string)[],
    of: (storage: Storage<object>) => Methods,
  ): Methods {
    type Method = (...args: readonly unknown[]) => Promise<unknown>;
    const call1 =
      (name: keyof Methods & string): Method =>
      (...args) =>
        call(life, name, (storage) => (of(storage)[name] as Method)(...args));
    return Object.fromEntries(names.map((name) => [name, call1(name)])) as Methods;
  }

  return {
    connect: (life) => {
      const own = wired<Storage<object>>(
        life,
        ["append", "claim", "settle", "release", "send", "redeliver", "cancel", "cancelAll"],
        (storage) => storage,
      );
      return {
        ...own,
        ...wired<Storage<object>>(life, ["sweep", "prune", "beat", "backlog", "close"], (it) => it),
        route: (request, plan) => {
          const most = weather.strikes("small batches") ? chance.between(1, 3) : null;
          const smaller = { maxDeliveries: most ?? request.maxDeliveries };
          return call(life, "route", (storage) => storage.route({ ...request, ...smaller }, plan));
        },
        subscriptions: wired(
          life,
          ["create", "get", "list", "update", "delete", "report", "sealedOtherwise"],
          ({ subscriptions }) => subscriptions,
        ),
        history: wired(
          life,
          ["event", "events", "delivery", "deliveries", "attempts"],
          ({ history }) => history,
        ),
        replays: wired(life, ["create", "get", "list", "cancel", "step"], ({ replays }) => replays),
        clock: () => call(life, "clock", async () => world.now),
      };
    },
    begin: () => ({ connection: restarts }),
    commit: (life, tx) =>
      call(life, "commit", async () => {
        if ((tx as { readonly connection: number }).connection === restarts) {
          await witness.commit(tx);
        } else {
          witness.rollback(tx);
          throw connectionLost();
        }
      }),
    rollback: (life, tx) => call(life, "rollback", async () => witness.rollback(tx)),
    recall: witness.recall,
    restart: (ms) => {
      restarts += 1;
      refusesUntil = world.now + ms;
      write({
        type: "struck",
        at: world.now,
        what: "restart",
        process: null,
        until: refusesUntil,
      });
    },
  };
}

const connectionLost = (): Error => new Error("The connection to the database was lost.");

const unavailable = (): PosthornError =>
  new PosthornError("storage_unavailable", "The database cannot be reached.");
