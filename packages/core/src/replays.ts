import type { Clock } from "./clock.ts";
import { type Issue, issuesError, PosthornError } from "./errors.ts";
import { type Page, type PageOptions, pageRequest, toPage } from "./page.ts";
import type { Replay } from "./replay.ts";
import type { Reference, Storage } from "./storage.ts";
import { notFound } from "./subscriptions.ts";
import type { System } from "./system.ts";

/** What to deliver again. */
export interface ReplayOrder {
  readonly organization: string;
  readonly subscriptionId: string;
  /** Deliveries created from then on (integer epoch milliseconds). */
  readonly from: number;
  /** And before then. Default, and at most: now. */
  readonly until?: number | undefined;
  /** Those that died (the default), or all that have ended. */
  readonly which?: Replay["which"] | undefined;
}

/** Delivering again what a subscription was owed in some time. */
export interface Replays {
  /**
   * Begins to deliver again, as new deliveries, what was owed to a subscription: in steps, which
   * go on after a crash, and no faster than its destination bears. Deliveries that are pending,
   * or that were repeated already, are passed over.
   *
   * @throws PosthornError `invalid_replay` for a time or choice that makes no sense, `not_found`
   * if the organization has no such subscription
   */
  create(order: ReplayOrder): Promise<Replay>;
  /** @throws PosthornError `not_found` */
  get(reference: Reference): Promise<Replay>;
  /** Newest first. @throws PosthornError `invalid_page` */
  list(
    options: {
      readonly organization: string;
      readonly subscriptionId?: string | undefined;
    } & PageOptions,
  ): Promise<Page<Replay>>;
  /**
   * Ends a replay. What it has made already is delivered; `deliveries.cancelAll` ends that too.
   *
   * @throws PosthornError `not_found`, `replay_ended`
   */
  cancel(reference: Reference): Promise<Replay>;
}

export function createReplays({
  storage,
  clock,
  system,
  onBegun,
}: {
  readonly storage: Pick<Storage, "replays">;
  readonly clock: Clock;
  readonly system: Pick<System, "id">;
  onBegun(): void;
}): Replays {
  const { replays } = storage;

  async function get(reference: Reference): Promise<Replay> {
    const found = await replays.get(reference);
    if (found === null) throw notFound("replay", reference.id);
    return found;
  }

  return {
    create: async ({ organization, subscriptionId, from, until, which = "dead" }) => {
      const now = await clock.told();
      const replay: Replay = {
        id: system.id(),
        organization,
        subscriptionId,
        from,
        until: Math.min(until ?? now, now),
        which,
        status: "running",
        redelivered: 0,
        createdAt: now,
        endedAt: null,
      };
      check(replay);
      if (!(await replays.create(replay))) throw notFound("subscription", subscriptionId);
      onBegun();
      return replay;
    },
    get,
    list: async ({ organization, subscriptionId, ...page }) =>
      toPage(
        await replays.list({ ...pageRequest(organization, page), subscriptionId }),
        (replay) => replay,
      ),
    cancel: async (reference) => {
      const isCanceled = await replays.cancel(reference, await clock.told());
      const replay = await get(reference);
      if (isCanceled) return replay;
      throw new PosthornError(
        "replay_ended",
        `Replay ${replay.id} has already ended (${replay.status}): there is nothing to cancel.`,
      );
    },
  };
}

function check({ from, until, which }: Replay): void {
  const issues: Issue[] = [];
  const invalid = (key: string, message: string): void =>
    void issues.push({ path: [key], message, code: "invalid" });
  const isInstant = (at: number): boolean => Number.isSafeInteger(at) && at >= 0;
  if (!isInstant(from)) invalid("from", "must be integer epoch milliseconds");
  if (!isInstant(until)) invalid("until", "must be integer epoch milliseconds");
  if (from >= until) invalid("from", "must be before `until`, and before now");
  if (which !== "dead" && which !== "all") invalid("which", 'must be "dead" or "all"');
  if (issues.length > 0) throw issuesError("invalid_replay", "The replay is not valid", issues);
}
