import type { Json } from "@posthorn/core";
import type { Reply } from "./reply.ts";

/** What deliveries of one configuration tell later ones. */
export interface Memory {
  /**
   * When Slack refused the username (epoch milliseconds); forgotten as soon as it lists the scope that
   * allows it, and after six hours, if it lists none.
   */
  readonly usernameRefused?: number | undefined;
  /** The id of the channel that the first message went to: a renamed channel is the same one. */
  readonly channel?: string | undefined;
}

const REFUSED_FOR_MS = 6 * 60 * 60_000;

/** What an earlier outcome remembered. */
export function recall(state: Json): Memory {
  if (typeof state !== "object" || state === null || Array.isArray(state)) return {};
  const { usernameRefused, channel } = state as { readonly [key: string]: Json };
  return {
    ...(typeof usernameRefused === "number" && { usernameRefused }),
    ...(typeof channel === "string" && { channel }),
  };
}

/** May the username be tried? */
export const mayName = ({ usernameRefused }: Memory, now: number): boolean =>
  usernameRefused === undefined || Math.abs(now - usernameRefused) > REFUSED_FOR_MS;

/** The memory with the channel that Slack names as the message's place. */
export function pin(memory: Memory, reply: Reply): Memory {
  const channel = reply.status === null ? undefined : reply.body?.channel;
  return typeof channel !== "string" || !/^[CGD][A-Z0-9]+$/.test(channel)
    ? memory
    : { ...memory, channel };
}

/** What is to be written; undefined if it is what is remembered already. */
export function changed(before: Memory, after: Memory): Json | undefined {
  const isSame =
    before.channel === after.channel && before.usernameRefused === after.usernameRefused;
  return isSame ? undefined : (JSON.parse(JSON.stringify(after)) as Json);
}
