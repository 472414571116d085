import type { StorageName } from "../ground/grounds.ts";

/** What a host process is told at its start: the only argument, as JSON. */
export interface Part {
  readonly name: string;
  readonly storage: StorageName;
  readonly database: string;
  readonly receiver: string;
  /** For what it writes down. */
  readonly folder: string;
  readonly concurrency: number;
  /** A mistake to be played: the judge must find it. */
  readonly bug: Bug | null;
}

export const bugs = [
  "gate-per-process",
  "pause-is-ignored",
  "no-turns",
  "no-breaker",
  "no-ramp",
] as const;
export type Bug = (typeof bugs)[number];

/** What a parent says to a host process. */
export type Order =
  /** Begins to deliver. */
  | { readonly do: "start" }
  /** Publishes one event after the other, whether or not earlier ones have been stored. */
  | { readonly do: "publish"; readonly events: readonly ToPublish[]; readonly everyMs: number }
  /** Publishes so many in a second, or as many as it can, until it is told to stop. */
  | {
      readonly do: "blast";
      readonly organization: string;
      readonly types: readonly string[];
      readonly perSecond: number;
    }
  | { readonly do: "end the blast" }
  /** Writes down its memory from now on; to know what is used it stands still each time. */
  | { readonly do: "weigh" }
  /** Ends. */
  | { readonly do: "finish" };

interface ToPublish {
  readonly organization: string;
  readonly type: string;
  readonly label: string;
}

/** What a host process answers. */
export type Answer =
  | { readonly done: "ready" | "start" | "publish" }
  | { readonly done: "end the blast"; readonly published: number };
