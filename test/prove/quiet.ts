import type { Hit } from "./hit.ts";
import { type Percentile, p99 } from "./percentile.ts";
import type { Host, Stage } from "./stage.ts";

const QUIET_PATH = "/quiet";
const EVERY_MS = 20;
const ARRIVED_WITHIN_MS = 120_000;

/** Organizations that publish a little, one after the other, all the time. */
export function quietOnes(count: number, organizationOf = (index: number) => `quiet-${index}`) {
  const organizations = Array.from({ length: count }, (_, index) => organizationOf(index));
  return {
    subscribe: async ({ bus }: Stage): Promise<void> => {
      for (const [index, organization] of organizations.entries()) {
        await bus.subscriptions.create({
          organization,
          name: `quiet-${index}`,
          eventTypes: [typeOf(index)],
          type: "post",
          configuration: { path: QUIET_PATH },
        });
      }
    },
    /** Lets a host publish a phase of events, and resolves when all have arrived. */
    publish: async (
      { hits, until }: Stage,
      host: Host,
      phase: string,
      samples: number,
    ): Promise<void> => {
      const events = Array.from({ length: samples }, (_, sample) => ({
        organization: organizations[sample % count] as string,
        type: typeOf(sample % count),
        label: `${phase} ${sample}`,
      }));
      await host.ask({ do: "publish", events, everyMs: EVERY_MS });
      await until("quiet events to arrive", ARRIVED_WITHIN_MS, () => {
        return hitsOf(hits(), phase).length === samples;
      });
    },
  };
}

const typeOf = (index: number): string => `news_${900 + index}`;

/** How long the events of a phase took from the begin of their publish to the receiver. */
const latencies = (hits: readonly Hit[], phase: string): readonly number[] =>
  hitsOf(hits, phase).map(({ at, published }) => at - published);

/** The first hit of each event of a phase. */
export function hitsOf(hits: readonly Hit[], phase: string): readonly Hit[] {
  const first = new Map<string, Hit>();
  for (const hit of hits) {
    if (!hit.label.startsWith(`${phase} `) || first.has(hit.label)) continue;
    first.set(hit.label, hit);
  }
  return [...first.values()];
}

/** How much slower a phase was than another one. */
export const ratio = (phase: Percentile, idle: Percentile): number => phase.value / idle.value;

export const p99Of = (hits: readonly Hit[], phase: string): Percentile =>
  p99(latencies(hits, phase));
