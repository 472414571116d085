import type { JsonObject } from "./json.ts";

/** What goes wrong. Where the message is posted all the same, the name says `post_then`. */
export type FaultAction =
  /** HTTP 200 with `{"ok":false,"error":…}` and whatever `extra` adds. */
  | { readonly type: "error"; readonly error: string; readonly extra?: JsonObject }
  /** Any HTTP reply; without headers it is HTML. */
  | RawReply<"status">
  /** The page that Slack's front end serves when it is down; status 503 unless given. */
  | { readonly type: "html"; readonly status?: number }
  /** Points to another place; status 302 unless given. */
  | { readonly type: "redirect"; readonly location: string; readonly status?: number }
  /** Reads the request and never answers. */
  | { readonly type: "hang" }
  /** Answers as usual, but only after so many real milliseconds. */
  | { readonly type: "delay"; readonly delayMs: number }
  /** Cuts the connection as soon as the request's headers are there. */
  | { readonly type: "reset_before_read" }
  /** Handles the call, then never answers. */
  | { readonly type: "post_then_hang" }
  /** Handles the call, then cuts the connection. */
  | { readonly type: "post_then_reset" }
  /** Handles the call, then answers something else. */
  | RawReply<"post_then_status">
  /** Handles the call, then answers `{"ok":false,"error":…}`, such as `internal_error`. */
  | { readonly type: "post_then_error"; readonly error: string; readonly extra?: JsonObject }
  /** Handles the call, then sends only the first half of its JSON, as a complete HTTP reply. */
  | { readonly type: "post_then_truncate" }
  /** Handles the call, sends half of its answer, and cuts the connection. */
  | { readonly type: "post_then_reset_mid_body" }
  /** Handles the call, then lets real milliseconds pass before the answer begins. */
  | { readonly type: "slow_headers"; readonly delayMs: number }
  /** Handles the call, then sends its answer byte by byte, so many real milliseconds apart. */
  | { readonly type: "slow_body"; readonly byteMs: number }
  /** Answers as usual, and cuts the connection that it has just promised to keep. */
  | { readonly type: "close_keepalive" }
  /** Answers as usual: compressed, after a byte order mark, with 10 MB more, or with each of Slack's
   * headers twice. */
  | { readonly type: "gzip" | "bom" | "huge_body" | "duplicate_header" };

interface RawReply<Type extends string> {
  readonly type: Type;
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Which requests a fault hits. */
export interface FaultMatch {
  /** Such as `chat.postMessage`; any if absent. */
  readonly method?: string;
  /** Id or name of the channel posted to; any if absent. */
  readonly channel?: string;
  /** The first of the requests matched that is hit, counted from 1 since the fault was set. */
  readonly nth?: number;
}

/** A fault, and how often it happens: once unless `times` says otherwise. */
export interface Fault {
  readonly match?: FaultMatch;
  readonly times?: number;
  readonly action: FaultAction;
}

/** The faults of one fake, in the order they were set. */
export interface Faults {
  /** Returns the function that takes the fault back. Throws if it could never be matched. */
  add(fault: Fault): () => void;
  /** Counts the request and returns the first fault that hits it. */
  next(
    phase: "before_read" | "after_read",
    request: { method: string; isChannel(channel: string): boolean },
  ): FaultAction | undefined;
}

/** Creates an empty list of faults. */
export function createFaults(): Faults {
  const entries = new Set<{ readonly fault: Fault; matched: number; left: number }>();

  return {
    add(fault) {
      if (fault.action.type === "reset_before_read" && fault.match?.channel !== undefined) {
        throw new Error(
          '"reset_before_read" cannot match a channel: that is known only after reading.',
        );
      }
      const entry = { fault, matched: 0, left: fault.times ?? 1 };
      entries.add(entry);
      return () => entries.delete(entry);
    },

    next(phase, request) {
      let hit: FaultAction | undefined;
      for (const entry of entries) {
        const { match = {}, action } = entry.fault;
        if ((action.type === "reset_before_read") !== (phase === "before_read")) continue;
        if (match.method !== undefined && match.method !== request.method) continue;
        if (match.channel !== undefined && !request.isChannel(match.channel)) continue;
        entry.matched += 1;
        if (hit !== undefined || entry.left < 1 || entry.matched < (match.nth ?? 1)) continue;
        entry.left -= 1;
        hit = action;
      }
      return hit;
    },
  };
}
