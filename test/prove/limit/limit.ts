import { setTimeout } from "node:timers/promises";
import type { Throttle } from "../noted.ts";
import type { Proof } from "../proof.ts";
import { onStage } from "../stage.ts";
import { judgeLimit } from "./judge.ts";

const PROCESSES = 8;
const LIMIT = { limit: 10, perMs: 1_000, burst: 10 };
/** How many lanes share the gate. */
const LANES = 4;
const PATH = "/limited";

/** Many processes, and several lanes, against one gate; then the receiver answers 429. */
export const limit: Proof = async (play) =>
  judgeLimit(
    await onStage(play, async ({ bus, host, behave, hits, noted, until }) => {
      const { seconds, pauses, retryAfter } = play.sizes;
      const hosts = await Promise.all(
        Array.from({ length: PROCESSES }, (_, index) => host(`host-${index}`, 10)),
      );
      for (let lane = 0; lane < LANES; lane += 1) {
        await bus.subscriptions.create({
          organization: "acme",
          name: `lane ${lane}`,
          eventTypes: ["news"],
          type: "post",
          configuration: { path: PATH, perSecond: LIMIT.limit, burst: LIMIT.burst },
        });
      }
      await Promise.all(hosts.map((each) => each.ask({ do: "start" })));

      const total = 2 * LIMIT.burst + LIMIT.limit * (seconds + pauses * (retryAfter + 4));
      const events = Array.from({ length: Math.ceil((2 * total) / LANES) }, (_, index) => ({
        type: "news",
        organization: "acme",
        data: { label: `${index}`, published: 0 },
      }));
      for (let from = 0; from < events.length; from += 100) {
        await bus.publishMany(events.slice(from, from + 100));
      }
      await setTimeout(seconds * 1_000);

      for (let pause = 1; pause <= pauses; pause += 1) {
        const since = await behave({ path: PATH, status: 429, afterMs: 0, retryAfter });
        const isHit = (): boolean => hits().some(({ at, status }) => at > since && status === 429);
        await until("a hit to answer with 429", 20_000, isHit);
        await setTimeout(300);
        await behave({ path: PATH, status: 200, afterMs: 0 });
        await setTimeout((retryAfter + 2) * 1_000);
      }
      return {
        hits: hits(),
        throttles: noted<Throttle>("throttles.jsonl"),
        limit: LIMIT,
        seconds,
        pauses,
        retryAfterMs: retryAfter * 1_000,
      };
    }),
  );
