import type { PosthornError } from "@posthorn/core";
import type { DialectName } from "../dialect.ts";
import type { MaybePromise } from "../script.ts";
import { type AdapterCall, kindOf } from "./kind.ts";
import {
  brand,
  type DetectedTransaction,
  type SqlTransaction,
  unknownTransaction,
} from "./transaction.ts";

/** A function that wraps transactions, in words for people. */
export interface Adapter {
  readonly call: AdapterCall;
  /** What to give it: "the pg client on which BEGIN ran". */
  readonly takes: string;
  /** What it makes: "a pg transaction". */
  readonly source: string;
}

/** Carries statements to the connection that the host's transaction is on. */
export interface Carrier<Name extends DialectName = DialectName>
  extends Pick<SqlTransaction<Name>, "dialect" | "isSync" | "execute"> {
  isOpen(): MaybePromise<boolean>;
}

/**
 * Checks that an adapter was given something of the kind that it takes.
 *
 * @throws PosthornError `unknown_transaction`, which says what was given and what to pass instead.
 */
export function assertGiven(given: unknown, adapter: Adapter): void {
  const kind = kindOf(given);
  if (kind?.adapter === adapter.call) return;
  const wrap = kind?.adapter && `Wrap that with ${kind.adapter}.`;
  throw refused(adapter, kind?.name ?? inWords(given), kind?.instead ?? wrap);
}

export const refused = ({ call, takes }: Adapter, given: string, instead?: string): PosthornError =>
  unknownTransaction(
    `${call} takes ${takes}; it was given ${given}.${instead === undefined ? "" : ` ${instead}`}`,
  );

/** The error of something that a storage was given as `tx`, and that no adapter has wrapped. */
export function notWrapped(given: unknown): PosthornError {
  const kind = kindOf(given);
  const instead = kind?.instead === undefined ? "" : ` ${kind.instead}`;
  const wrapper = kind?.adapter ?? "the function for your library, such as pgTransaction(client)";
  return unknownTransaction(
    `\`tx\` is ${kind?.name ?? inWords(given)}.${instead} Wrap your open transaction with ${wrapper}, from @posthorn/storage-sql/transaction.`,
  );
}

export function transactionOf<Name extends DialectName>(
  adapter: Adapter,
  { dialect, isSync, isOpen, execute }: Carrier<Name>,
): SqlTransaction<Name> {
  const check = (open: boolean): void => {
    if (!open) throw notOpen(adapter);
  };
  return {
    [brand]: true,
    dialect,
    source: adapter.source,
    isSync,
    assertOpen: () => {
      const open = isOpen();
      return open instanceof Promise ? open.then(check) : check(open);
    },
    execute,
  };
}

/** The same, where types do not tell the database. */
export const detectedTransaction = (adapter: Adapter, carrier: Carrier): DetectedTransaction =>
  transactionOf(adapter, carrier) as DetectedTransaction;

export const notOpen = ({ source, takes }: Adapter): PosthornError =>
  unknownTransaction(
    `This is ${source} that is not open: it has ended, or was never begun. Pass ${takes}, and await what is published before it ends.`,
  );

/** Something that no adapter knows. Not its values: they may be secret. */
function inWords(given: unknown): string {
  if (given === undefined || given === null) return String(given);
  if (Array.isArray(given)) return "an array";
  if (typeof given !== "object") return `a ${typeof given}`;
  const names = Object.keys(given);
  if (names.length === 0) return "an object without properties";
  return `an object with ${names.slice(0, 5).join(", ")}${names.length > 5 ? ", …" : ""}`;
}
