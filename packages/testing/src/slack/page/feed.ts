import type { FakeMessage, Messages } from "../messages.ts";

/** A message and its place among all messages of all channels. */
export interface Entry {
  /** Counts from 1. */
  readonly number: number;
  readonly message: FakeMessage;
  /** Does it continue what the same sender said just before? */
  readonly continued: boolean;
}

/** Every message of the fake Slack, in the order of arrival. */
export interface Feed {
  of(channelId: string): readonly Entry[];
  after(number: number): readonly Entry[];
  /** Calls `listener` after each new message; answers how to stop. */
  onEntry(listener: (entry: Entry) => void): () => void;
}

const PAUSE_MS = 5 * 60_000;

export function createFeed(slack: Pick<Messages, "onMessage">): Feed {
  const entries: Entry[] = [];
  const lastIn = new Map<string, FakeMessage>();
  const listeners = new Set<(entry: Entry) => void>();

  slack.onMessage((message) => {
    if (message.hidden === true) return;
    const last = lastIn.get(message.channel);
    lastIn.set(message.channel, message);
    const entry: Entry = {
      number: entries.length + 1,
      message,
      continued:
        last !== undefined &&
        last.username === message.username &&
        last.user === message.user &&
        message.postedAt - last.postedAt < PAUSE_MS,
    };
    entries.push(entry);
    for (const listener of listeners) listener(entry);
  });

  return {
    of: (channelId) => entries.filter(({ message }) => message.channel === channelId),
    after: (number) => entries.slice(number),
    onEntry: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
