import type { GateState } from "@posthorn/core";
import { agree, demand, isSame } from "./judge.ts";
import { byId } from "./lists.ts";
import type { Model } from "./model.ts";

/** The gates that a storage hands to a rule during one call. */
export interface Sight {
  /** Throws unless each gate is as it stands, or as an earlier answer of this call left it. */
  look(gates: readonly GateState[], ids?: readonly string[]): void;
  /** The rule's answer. */
  leave(gates: readonly GateState[]): void;
}

export function sightOf({ gates: standing }: Model): Sight {
  const left: GateState[] = [];
  return {
    look: (gates, ids) => {
      if (ids !== undefined) {
        agree(
          "the gates that a rule sees",
          byId(gates).map(({ id }) => id),
          ids.toSorted(),
        );
      }
      for (const gate of gates) {
        const known = standing.get(gate.id);
        demand(known !== undefined, `A rule saw the gate ${gate.id}, which no lane ever had.`);
        if (left.some((other) => isSame(other, gate))) continue;
        agree(`the gate ${gate.id} as a rule sees it`, gate, known);
      }
    },
    leave: (gates) => {
      left.push(...gates);
    },
  };
}
