import { expect, it } from "vitest";
import { play, timeline } from "./load.ts";

/** The sizes that `node --conditions=@posthorn/source test/slack/run.ts --full` takes are larger. */
const small = { busy: 160, quiet: 20, quietChannels: 2 };

it("a burst through two processes arrives whole, in digests, in order, as fast as Slack takes it", async () => {
  const report = await play(small);
  const shown = timeline(report);
  expect(report.deliveries, shown).toEqual({ delivered: 180 });
  for (const channel of report.channels) {
    expect(channel.told, shown).toBe(channel.published);
    expect(channel.messages.filter(({ hidden }) => hidden)).toEqual([]);
    // One request at a time in each process; three messages at once, and one a second.
    expect(channel.mostInFlight, shown).toBeLessThanOrEqual(2);
    expect(channel.mostInASecond, shown).toBeLessThanOrEqual(4);
  }
  const [busy, asked] = report.channels;
  expect(busy?.messages.length, shown).toBeLessThan(10);
  expect(busy?.overtaken, shown).toBe(0);
  expect(asked?.name).toBe("quiet-0");
  expect(report.limitedAtMs, shown).toHaveLength(1);
}, 120_000);
