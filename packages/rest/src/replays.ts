import type { Replay } from "@posthorn/core";
import type { RestBus } from "./api.ts";
import type { Body, BodyShape } from "./body.ts";
import { Problem, type ProblemError } from "./problems.ts";
import { pageOptions, resultPage } from "./query.ts";
import { referenceOf } from "./reference.ts";
import type { Answer, Call } from "./routes.ts";
import { type Urls, wireInstant } from "./wire.ts";

/** A replay as the API shows it. */
export interface WebhookReplay {
  readonly url: string;
  readonly id: string;
  readonly webhook: string;
  readonly webhook_id: string;
  readonly from: string;
  readonly until: string;
  readonly which: Replay["which"];
  readonly status: Replay["status"];
  /** How many deliveries it has made so far. */
  readonly redelivered_count: number;
  readonly created_at: string;
  readonly ended_at: string | null;
}

export const replayShape: BodyShape = {
  required: ["from"],
  optional: ["until", "which", "organization"],
  readOnly: ["url", "id", "webhook", "webhook_id", "status", "redelivered_count", "created_at"],
};

export interface ReplayRoutes {
  list(call: Call): Promise<Answer>;
  create(call: Call): Promise<Answer>;
  get(call: Call): Promise<Answer>;
  cancel(call: Call): Promise<Answer>;
}

export function replayRoutes({ subscriptions, replays }: RestBus): ReplayRoutes {
  /** @throws Problem `not_found` also for a replay of another webhook */
  async function find(call: Call): Promise<Replay> {
    const { id: subscriptionId } = referenceOf(call);
    const found = await replays.get(referenceOf(call, "replay_id"));
    if (found.subscriptionId !== subscriptionId) throw new Problem("not_found");
    return found;
  }

  return {
    list: async (call) => {
      const { organization, path, query, urls } = call;
      const { id: subscriptionId } = referenceOf(call);
      const scope = [organization, path];
      const options = pageOptions(query, scope);
      await subscriptions.get({ organization, id: subscriptionId });
      const page = await replays.list({ organization, subscriptionId, ...options });
      const show = (replay: Replay): WebhookReplay => shownReplay(replay, urls);
      return { content: resultPage(page, { query, scope, urls }, show) };
    },

    create: async (call) => {
      const { organization, id: subscriptionId } = referenceOf(call);
      const order = orderOf(call.body);
      const replay = await replays.create({ organization, subscriptionId, ...order });
      const content = shownReplay(replay, call.urls);
      return { content, location: content.url };
    },

    get: async (call) => ({ content: shownReplay(await find(call), call.urls) }),

    cancel: async (call) => {
      const { organization, id } = await find(call);
      return { content: shownReplay(await replays.cancel({ organization, id }), call.urls) };
    },
  };
}

/** @throws Problem `invalid_replay` for what is no instant, or no choice */
function orderOf({ from, until, which }: Body): {
  readonly from: number;
  readonly until: number | undefined;
  readonly which: Replay["which"] | undefined;
} {
  const errors: ProblemError[] = [];
  const instant = (name: string, value: unknown): number => {
    const at = typeof value === "string" && ISO_8601.test(value) ? Date.parse(value) : Number.NaN;
    if (Number.isNaN(at)) {
      const detail = "must be an instant such as 2026-11-24T09:30:00Z.";
      errors.push({ pointer: `/${name}`, code: "invalid", detail });
    }
    return at;
  };
  const order = {
    from: instant("from", from),
    until: until === undefined ? undefined : instant("until", until),
    which: which as Replay["which"] | undefined,
  };
  if (errors.length > 0) throw new Problem("invalid_replay", { errors });
  return order;
}

/** With an offset: an instant, and not the time on somebody's clock (RFC 3339 §5.6). */
const ISO_8601 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/i;

const shownReplay = (replay: Replay, urls: Urls): WebhookReplay => ({
  url: urls.replay(replay.subscriptionId, replay.id),
  id: replay.id,
  webhook: urls.webhook(replay.subscriptionId),
  webhook_id: replay.subscriptionId,
  from: wireInstant(replay.from),
  until: wireInstant(replay.until),
  which: replay.which,
  status: replay.status,
  redelivered_count: replay.redelivered,
  created_at: wireInstant(replay.createdAt),
  ended_at: wireInstant(replay.endedAt),
});
