import type { Proof } from "../proof.ts";
import { quietOnes } from "../quiet.ts";
import { onStage } from "../stage.ts";
import { judgeFairness } from "./judge.ts";

const QUIET = 99;
/** How many lanes the organization at full blast has, each with an event type of its own. */
const LOUD_LANES = 500;
const CONCURRENCY = 50;
const PATH = "/loud";

/**
 * One host delivers for all. Another process publishes for one organization: more than its
 * destinations take, so that it wants every place in flight, and ever more waits.
 */
export const fairness: Proof = async (play) =>
  judgeFairness(
    await onStage(play, async (stage) => {
      const { bus, storage, host, behave, hits, until } = stage;
      const { samples, blast, answersAfter } = play.sizes;
      const isMistaken = play.bug === "no-turns";
      const loud = isMistaken ? "all" : "loud";
      const quiet = quietOnes(QUIET, isMistaken ? () => "all" : undefined);
      await quiet.subscribe(stage);
      const types = Array.from({ length: LOUD_LANES }, (_, index) => `news_${index}`);
      for (const type of types) {
        await bus.subscriptions.create({
          organization: loud,
          name: type,
          eventTypes: [type],
          type: "post",
          configuration: { path: PATH },
        });
      }
      await behave({ path: PATH, status: 200, afterMs: answersAfter });
      const [deliverer, publisher] = await Promise.all([
        host("deliverer", CONCURRENCY),
        host("publisher", 1),
      ]);
      await deliverer.ask({ do: "start" });

      const phase = (name: string, count = samples): Promise<void> =>
        quiet.publish(stage, deliverer, name, count);
      await phase("warm", 5 * QUIET);
      await phase("idle");
      publisher.tell({ do: "blast", organization: loud, types, perSecond: blast });
      await until("a backlog", 60_000, async () => {
        const { waiting } = await storage.backlog(Date.now());
        return waiting.some(({ count }) => count >= 2 * CONCURRENCY);
      });
      await phase("busy");
      const { published } = await publisher.ask({ do: "end the blast" });
      return {
        hits: hits(),
        samples,
        blast: { path: PATH, published },
        concurrency: CONCURRENCY,
        timed: play.full,
      };
    }),
  );
