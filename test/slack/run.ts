import { parseArgs } from "node:util";
import { play, timeline } from "./load.ts";

// pnpm slack-load [--full]: a burst of events for one busy and several quiet channels of a fake Slack
// with its usual limits, through two processes. Prints who was told of what in which second.

const { values } = parseArgs({ options: { full: { type: "boolean", default: false } } });
const report = await play(
  values.full
    ? { busy: 500, quiet: 100, quietChannels: 10 }
    : { busy: 160, quiet: 20, quietChannels: 2 },
);
console.log(timeline(report));
console.table(
  report.channels.map(
    ({ name, published, told, messages, overtaken, mostInFlight, mostInASecond }) => ({
      name,
      published,
      told,
      messages: messages.length,
      hidden: messages.filter(({ hidden }) => hidden).length,
      overtaken,
      mostInFlight,
      mostInASecond,
    }),
  ),
);
