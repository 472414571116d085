import { isDeepStrictEqual } from "node:util";
import type { GateDefinition, GateState } from "@posthorn/core";
import { type Dialect, type SentRow, sent } from "./dialect.ts";
import { toGate } from "./records.ts";
import { change, rowsOf, type Script } from "./script.ts";

export interface Gates {
  /** As they are; unlocked. */
  read(ids: Iterable<string>): Script<ReadonlyMap<string, GateState>>;
  /** The same, locked in the order of their ids; in haste without those that others hold. */
  lock(ids: Iterable<string>, inHaste?: boolean): Script<ReadonlyMap<string, GateState>>;
  /** Writes the states that changed. */
  keep(states: readonly GateState[]): Script<void>;
  /**
   * Makes sure that they exist, with these names and limits; what exists keeps its state. Those that
   * are as they should be are not locked: a host's transaction may stay open for long.
   */
  define(gates: readonly GateDefinition[]): Script<void>;
}

export function gatesIn(dialect: Dialect): Gates {
  const { rows, lookUp, forUpdate, skipLocked } = dialect;
  const select = `select g.* from ${rows("r", { id: "key" })} ${lookUp("gates", "g")} on g.id = r.id order by g.id`;
  const update = dialect.update({
    table: "gates",
    rows: {
      id: "key",
      tat: "int",
      paused_until: "int",
      epoch: "int",
      throttles: "int",
      breaker: "text",
      open_until: "int",
    },
    set: {
      tat: "r.tat",
      paused_until: "r.paused_until",
      epoch: "r.epoch",
      throttles: "r.throttles",
      breaker: "r.breaker",
      open_until: "r.open_until",
    },
    where: "t.id = r.id",
  });
  const define = dialect.insert({
    table: "gates",
    rows: {
      id: "key",
      name: "key",
      rate_limit: "int",
      per_ms: "int",
      burst: "int",
      tat: "int",
      paused_until: "int",
      epoch: "int",
      throttles: "int",
    },
    onConflict: { key: "id", update: ["name", "rate_limit", "per_ms", "burst"] },
  });

  function* find(text: string, ids: Iterable<string>): Script<ReadonlyMap<string, GateState>> {
    const sorted = [...new Set(ids)].sort();
    if (sorted.length === 0) return new Map();
    const found = yield* rowsOf(text, sent(sorted.map((id) => ({ id }))));
    return new Map(found.map(toGate).map((gate) => [gate.id, gate]));
  }

  return {
    read: (ids) => find(select, ids),
    lock: (ids, inHaste = false) => find(`${select}${inHaste ? skipLocked : forUpdate}`, ids),
    keep: function* (states) {
      if (states.length === 0) return;
      const changed = states.map(({ id, tat, pausedUntil, epoch, throttles, breaker }) => ({
        id,
        tat,
        paused_until: pausedUntil,
        epoch,
        throttles,
        breaker: breaker && JSON.stringify(breaker),
        open_until: breaker?.state === "open" ? breaker.until : null,
      }));
      yield* change(update, sent(changed));
    },
    define: function* (gates) {
      const known = yield* find(
        select,
        gates.map(({ id }) => id),
      );
      const changed = byId(gates).filter((gate) => !isDefinedAs(known.get(gate.id), gate));
      if (changed.length === 0) return;
      const fresh = changed.map((gate) => ({
        id: gate.id,
        ...definitionOf(gate),
        tat: 0,
        paused_until: 0,
        epoch: 0,
        throttles: 0,
      }));
      yield* change(define, sent(fresh));
    },
  };
}

const isDefinedAs = (known: GateState | undefined, gate: GateDefinition): boolean =>
  known !== undefined && isDeepStrictEqual(definitionOf(known), definitionOf(gate));

const definitionOf = ({ name, limit }: Pick<GateDefinition, "name" | "limit">): SentRow => ({
  name,
  rate_limit: limit?.limit ?? null,
  per_ms: limit?.perMs ?? null,
  burst: limit?.burst ?? null,
});

const byId = (gates: readonly GateDefinition[]): readonly GateDefinition[] =>
  [...new Map(gates.map((gate) => [gate.id, gate])).values()].sort((a, b) =>
    a.id < b.id ? -1 : 1,
  );
