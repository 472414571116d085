import { createEventBus } from "@posthorn/core";
import { memoryStorage } from "@posthorn/storage-memory";
import Emittery from "emittery";
import { catalog, type Data, someData } from "../event.ts";
import { countdown, inFlight, rate } from "../play.ts";
import type { Contest, Workload } from "../workload.ts";

const AT_ONCE = 100;

export const listeners: Workload = {
  name: "listeners",
  about: "bus.on with 1 and 10 async listeners, beside emittery",
  contests: (_ground, size) =>
    [1, 10].map((count): Contest => {
      const all = someData(size.of(20_000, 500));
      return {
        title: `bus.on, ${count === 1 ? "1 async listener" : `${count} async listeners`}`,
        columns: ["events/s"],
        better: "more",
        baseline: "emittery",
        rows: [
          {
            name: "emittery",
            note: "emit, awaited; nothing is checked or kept",
            run: async () => {
              const emitter = new Emittery<{ parameter_updated: Data }>();
              const { over, done } = countdown(all.length * count);
              for (let i = 0; i < count; i += 1) {
                emitter.on("parameter_updated", async () => done(1));
              }
              return [
                await rate(all.length, async () => {
                  await inFlight(all, AT_ONCE, (data) => emitter.emit("parameter_updated", data));
                  await over;
                }),
              ];
            },
          },
          {
            name: "Posthorn on memory",
            note: "publish: checked, kept, and heard",
            run: async () => {
              const bus = createEventBus({ catalog, storage: memoryStorage(), handlers: [] });
              const { over, done } = countdown(all.length * count);
              for (let i = 0; i < count; i += 1) {
                bus.on("parameter_updated", async () => done(1));
              }
              const perSecond = await rate(all.length, async () => {
                await inFlight(all, AT_ONCE, (data) =>
                  bus.publish("parameter_updated", data, { organization: data.organization }),
                );
                await over;
              });
              await bus.stop();
              return [perSecond];
            },
          },
        ],
      };
    }),
};
