import type { Abilities, FlightTerms, Storage } from "@posthorn/core";
import fc from "fast-check";
import type { HostTransaction } from "../stage.ts";
import { freshId, type Model } from "./model.ts";

/** A storage, and what has to be true of it. */
export interface World {
  readonly storage: Storage<unknown>;
  readonly transaction: HostTransaction | undefined;
  readonly model: Model;
}

/** One kind of thing that can happen in a history. */
export interface Verb {
  /** How often it is drawn, compared with others. */
  readonly weight: number;
  /** What it is given: plain JSON, so that a history can be printed and read back. */
  readonly draw: fc.Arbitrary<object>;
  /** Does it, judges what the storage answers, and changes the model. */
  play(world: World, given: object): Promise<void>;
}

/** What each field of something is drawn from. */
export type Draw<Given> = { readonly [Field in keyof Given]-?: fc.Arbitrary<Given[Field]> };

export const verb = <Given extends object>(
  weight: number,
  draw: Draw<Given>,
  play: (world: World, given: Given) => Promise<void>,
): Verb => ({
  weight,
  draw: fc.record(draw),
  // What is given was drawn above, or printed after that.
  play: (world, given) => play(world, given as Given),
});

/** Differ as little as names can, and are not to be taken for one another. */
export const ORGANIZATIONS = ["acme", "Acme"] as const;
export const organization: fc.Arbitrary<string> = fc.constantFrom(...ORGANIZATIONS);
export const stranger = (organization: string): string =>
  ORGANIZATIONS.find((other) => other !== organization) as string;

/** One of those that there are: see `pick`. */
export const which: fc.Arbitrary<number> = fc.nat(50);

export const seldom = <Value>(draw: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.oneof(
    { withCrossShrink: true },
    { weight: 5, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: draw },
  );

const EVERYTHING: Abilities = { handlerTypes: ["http", "chat"], keyIds: ["key-1", "key-2"] };
const PROCESSES: readonly Abilities[] = [
  EVERYTHING,
  { handlerTypes: ["http"], keyIds: ["key-1"] },
  { handlerTypes: ["chat", "fax"], keyIds: ["key-2", "key-1"] },
  { handlerTypes: ["http", "chat"], keyIds: [] },
];

/** Which process asks, and for how much. */
export interface Asked {
  readonly process: number;
  readonly slots: number;
  readonly perLane: number;
  /** How many deliveries a call of the type `http` may take, if more than one. */
  readonly perCall: number | undefined;
}

export const asked: Draw<Asked> = {
  process: fc.oneof(fc.constant(0), fc.nat(PROCESSES.length - 1)),
  slots: fc.constantFrom(10, 3, 2, 1, 0),
  perLane: fc.constantFrom(10, 2, 1),
  perCall: fc.constantFrom(undefined, 3, 2),
};

export const ALL: Asked = { process: 0, slots: 100, perLane: 100, perCall: undefined };

export const termsOf = (
  model: Model,
  { process, slots, perLane, perCall }: Asked,
  leaseMs = 45_000,
): FlightTerms => ({
  ...(PROCESSES[process] ?? EVERYTHING),
  now: model.now,
  token: freshId(model),
  leaseMs,
  slots,
  perLane,
  ...(perCall !== undefined && { perCall: new Map([["http", perCall]]) }),
});

/** How the host's transaction ends in which something is written; undefined: it has none. */
export type Ending = "commit" | "rollback" | undefined;
export const ending: fc.Arbitrary<Ending> = seldom(fc.constantFrom("commit", "rollback"));

/** Where there are no transactions, nothing can be rolled back. */
export const isPossible = ({ transaction }: World, end: Ending): boolean =>
  transaction !== undefined || end !== "rollback";

/** Writes in a host's transaction, where there are such. */
export async function write<Answer>(
  { transaction }: World,
  end: Ending,
  call: (tx?: unknown) => Promise<Answer> | Answer,
): Promise<Answer> {
  if (transaction === undefined || end === undefined) return call();
  const tx = await transaction.begin();
  const answer = await call(tx);
  await transaction[end](tx);
  return answer;
}
