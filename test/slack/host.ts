import { announce, hear } from "../processes/speak.ts";
import { loadBus, type Part, typeOf } from "./part.ts";

// host.ts PART: a process of a host. Publishes its events when it is told to, and delivers until it
// is told to end.

const part: Part = JSON.parse(process.argv[2] ?? "");
const { bus, close } = loadBus(part);
bus.lifecycle.on("dispatcher.error", (report) => {
  process.stderr.write(`${part.name}: ${JSON.stringify(report)}\n`);
});

const obey: Readonly<Record<string, () => Promise<void>>> = {
  publish: async () => {
    for (let index = 0; index < Math.max(...part.events); index += 1) {
      for (const [channel, count] of part.events.entries()) {
        if (index >= count) continue;
        const name = `${part.name}-${String(index).padStart(4, "0")}`;
        await bus.publish(typeOf(channel), { name }, { organization: "acme" });
      }
    }
    announce("published");
  },
  start: async () => {
    bus.start();
    announce("started");
  },
  finish: async () => {
    await bus.stop();
    await close();
    process.exit();
  },
};
hear((order) => void obey[order]?.());
announce("ready");
