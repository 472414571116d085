import assert from "node:assert/strict";
import { inProcessTransport, type Transport } from "@posthorn/core";
import { describe, it } from "vitest";
import { type TransportHarness, transportContract } from "./index.ts";

// #region contract
describe("the in-process transport keeps the transport contract", () => {
  const harness = { open: inProcessTransport };
  for (const entry of transportContract) it(entry.name, (test) => entry.run(harness, test));
});
// #endregion contract

describe("two processes on one medium keep the transport contract", () => {
  for (const entry of transportContract) it(entry.name, (test) => entry.run(onOneMedium(), test));
});

const flaws: readonly (readonly [string, string, (sound: Transport) => Transport])[] = [
  ["loses every wake", "a wake is heard", (sound) => ({ ...sound, wake: () => {} })],
  [
    "changes what it carries",
    "an event is heard as it was sent",
    (sound) => ({
      ...sound,
      broadcast: (event) => sound.broadcast({ ...event, payload: `${event.payload.trim()} ` }),
    }),
  ],
  [
    "makes events up",
    "what is heard was sent",
    (sound) => ({
      ...sound,
      broadcast: (event) => {
        sound.broadcast({ ...event, id: "made-up" });
        sound.broadcast(event);
      },
    }),
  ],
  ["hears only the first listener", "every listener hears", hearsOnlyTheFirst],
  [
    "makes the publisher wait",
    "wake and broadcast answer nothing, at once",
    (sound) => ({ ...sound, wake: async () => sound.wake() }),
  ],
  [
    "lets listeners throw at the sender",
    "a listener that throws disturbs neither the sender nor the others",
    throwsAtTheSender,
  ],
  [
    "forgets nobody",
    "a listener that was told to stop hears nothing more",
    (sound) => ({
      ...sound,
      listen: (listener) => {
        sound.listen(listener);
        return () => {};
      },
    }),
  ],
  [
    "is never closed",
    "after close nothing is heard, and every method does nothing",
    (sound) => ({ ...sound, close: async () => {} }),
  ],
  [
    "breaks when it is closed twice",
    "after close nothing is heard, and every method does nothing",
    breaksWhenClosedTwice,
  ],
];

describe("the transport contract can fail", () => {
  for (const [flaw, sentence, broken] of flaws) {
    it(`it catches a transport that ${flaw}`, async () => {
      const entry = transportContract.find(({ name }) => name === `transport: ${sentence}`);
      assert.ok(entry, `there is no case "${sentence}"`);
      await entry.run({ open: inProcessTransport });
      const patienceMs = 50;
      await assert.rejects(entry.run({ open: () => broken(inProcessTransport()), patienceMs }));
    });
  }

  it("it catches a process whose end is everybody's", async () => {
    const entry = transportContract.find(({ needs }) => needs.includes("join"));
    const shared = inProcessTransport();
    const harness = { open: () => shared, join: () => ({ ...shared }), patienceMs: 50 };
    await assert.rejects(async () => entry?.run(harness));
  });
});

function onOneMedium(): TransportHarness {
  const medium = inProcessTransport();
  const join = (): Transport => {
    const own = inProcessTransport();
    const stop = medium.listen({ wake: () => own.wake(), event: (event) => own.broadcast(event) });
    let closed = false;
    return {
      wake: () => {
        if (!closed) setImmediate(() => medium.wake());
      },
      broadcast: (event) => {
        if (!closed) setImmediate(() => medium.broadcast(structuredClone(event)));
      },
      listen: own.listen,
      close: async () => {
        closed = true;
        stop();
        await own.close();
      },
    };
  };
  return { open: join, join };
}

function hearsOnlyTheFirst(sound: Transport): Transport {
  let taken = false;
  return {
    ...sound,
    listen: (listener) => {
      if (taken) return () => {};
      taken = true;
      return sound.listen(listener);
    },
  };
}

function throwsAtTheSender(sound: Transport): Transport {
  const ears = new Set<Parameters<Transport["listen"]>[0]>();
  return {
    ...sound,
    wake: () => {
      for (const ear of ears) ear.wake();
    },
    listen: (listener) => {
      ears.add(listener);
      return () => void ears.delete(listener);
    },
  };
}

function breaksWhenClosedTwice(sound: Transport): Transport {
  let closed = false;
  return {
    ...sound,
    close: async () => {
      if (closed) throw new Error("already closed");
      closed = true;
      await sound.close();
    },
  };
}
