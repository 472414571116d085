import { createHash } from "node:crypto";
import { numbered } from "../transaction/transaction.ts";
import { failureOf } from "./failure.ts";

/** A statement's text as PostgreSQL takes it, and a name under which each connection prepares it. */
interface Prepared {
  readonly name: string;
  readonly text: string;
  readonly generation: number;
}

export interface PreparedStatements {
  of(text: string): Prepared;
  /**
   * Gives all statements new names if one was not as its connection believes: it forgot (`discard
   * all`), or a column was added to what it selects. Other connections would meet that one by one.
   */
  heed(error: unknown, prepared: Prepared): void;
}

/** Where connections forget all the time, names would gather on the server. */
const MOST_GENERATIONS = 10;

export function preparedStatements(): PreparedStatements {
  const known = new Map<string, Prepared>();
  let generation = 0;
  return {
    of: (text) => {
      let prepared = known.get(text);
      if (prepared === undefined) {
        prepared = prepare(text, generation);
        known.set(text, prepared);
      }
      return prepared;
    },
    heed: (error, prepared) => {
      if (failureOf(error) !== "unprepared") return;
      if (prepared.generation < generation || generation === MOST_GENERATIONS) return;
      generation += 1;
      known.clear();
    },
  };
}

function prepare(statement: string, generation: number): Prepared {
  const text = generation === 0 ? statement : `${statement} /* ${generation} */`;
  const hash = createHash("sha256").update(text).digest("hex");
  return { name: `posthorn_${hash.slice(0, 16)}`, text: numbered(text), generation };
}
