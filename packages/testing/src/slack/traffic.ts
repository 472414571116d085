import type { FakeMessage } from "./messages.ts";
import type { RecordedRequest } from "./record.ts";

/** What a test can claim about all that a client has sent: each is `[]`, 0 or small if all is well. */
export interface Traffic {
  /** The messages after the first whose text names this delivery: what a reader sees twice. */
  duplicatesOf(channel: string, deliveryId: string): readonly FakeMessage[];
  /** How many requests about the channel were under way at once, at most. */
  maxInFlight(channel: string): number;
  /** The milliseconds between one message of the channel and the next, by the fake's clock. */
  gapsMs(channel: string): readonly number[];
  /** The most messages that the channel got in any window of this many milliseconds. */
  mostWithin(channel: string, ms: number): number;
  /** Requests that had a token in a query or a JSON body, where proxies and logs keep it. */
  leaks(): readonly RecordedRequest[];
  /** Requests with a token after Slack had said that it is of no use any more. */
  afterRefusedToken(): readonly RecordedRequest[];
  /** Requests that Slack asked to wait. */
  limited(): readonly RecordedRequest[];
}

const DEAD_TOKEN = [
  "invalid_auth",
  "token_revoked",
  "token_expired",
  "account_inactive",
  "not_allowed_token_type",
];

export function trafficOf(
  requests: readonly RecordedRequest[],
  messages: (channel: string) => readonly FakeMessage[],
): Traffic {
  const times = (channel: string): readonly number[] =>
    messages(channel).map(({ postedAt }) => postedAt);
  return {
    duplicatesOf: (channel, deliveryId) =>
      messages(channel)
        .filter((message) => JSON.stringify(message).includes(deliveryId))
        .slice(1),
    maxInFlight: (channel) => {
      const ids = new Set(messages(channel).map((message) => message.channel));
      return Math.max(
        0,
        ...requests
          .filter((request) => request.channel !== undefined && ids.has(request.channel))
          .map(({ inFlight }) => inFlight),
      );
    },
    gapsMs: (channel) =>
      times(channel)
        .slice(1)
        .map((at, index) => at - (times(channel)[index] as number)),
    mostWithin: (channel, ms) =>
      Math.max(
        0,
        ...times(channel).map(
          (from) => times(channel).filter((at) => at >= from && at < from + ms).length,
        ),
      ),
    leaks: () => requests.filter(({ tokenIn }) => tokenIn.some((place) => place !== "header")),
    afterRefusedToken: () =>
      requests.filter(({ token }, index) =>
        requests
          .slice(0, index)
          .some(
            (earlier) =>
              earlier.token === token &&
              token !== undefined &&
              DEAD_TOKEN.includes(earlier.answer?.error ?? ""),
          ),
      ),
    limited: () =>
      requests.filter(
        ({ answer }) => answer?.status === 429 || /^rate_?limited$/.test(answer?.error ?? ""),
      ),
  };
}
