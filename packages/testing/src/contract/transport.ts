import assert from "node:assert/strict";
import type { StoredEvent, Transport, TransportListener } from "@posthorn/core";
import { type ContractCase, cases, type Law } from "./case.ts";
import { anEvent, storedOf } from "./storage/stage.ts";

/** What a transport's author provides for the suite. */
export interface TransportHarness {
  /** A transport on a medium that nobody else uses. */
  open(): Promise<Transport> | Transport;
  /** Another one on the same medium, as a second process would have it. */
  join?(): Promise<Transport> | Transport;
  /** How long anything may be under way, in real milliseconds. Default 5,000. */
  readonly patienceMs?: number;
}

export type TransportCase = ContractCase<TransportHarness>;

interface Wire {
  readonly transport: Transport;
  /** What another process has; without `join`, the same. */
  readonly other: Transport;
  join(): Promise<Transport>;
  /** Repeats `send` until `isHeard`: a transport may lose anything, but not everything. */
  until(isHeard: () => boolean, send: () => void): Promise<void>;
}

/**
 * The laws of the transport port, each as a case.
 *
 * ```ts
 * const harness = { open: () => inProcessTransport() };
 * for (const entry of transportContract) it(entry.name, (test) => entry.run(harness, test));
 * ```
 */
export const transportContract: readonly TransportCase[] = [
  ...cases<TransportHarness, Wire>("transport", [], play, {
    "a wake is heard": async ({ transport, other, until }) => {
      const ear = listen(other);
      await until(
        () => ear.wakes > 0,
        () => transport.wake(),
      );
    },

    "an event is heard as it was sent": async ({ transport, other, until }) => {
      const ear = listen(other);
      const event = storedOf(
        anEvent({
          payload: '{ "z":1,"a":"\\u0000 \u2028 ü \u{1f4ef}" }',
          actor: { id: "u-1", name: "Zoë" },
          trace: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
        }),
      );
      await until(
        () => ear.events.length > 0,
        () => transport.broadcast(event),
      );
      for (const heard of ear.events) assert.deepEqual(heard, event);
    },

    "every process can send and hear": async ({ transport, other, until }) => {
      const ears = [listen(transport), listen(other)];
      await until(
        () => ears[1]?.wakes !== 0,
        () => transport.wake(),
      );
      await until(
        () => ears[0]?.wakes !== 0,
        () => other.wake(),
      );
    },

    "what is heard was sent": async ({ transport, other, until }) => {
      const ear = listen(other);
      const sent = Array.from({ length: 50 }, () => storedOf(anEvent()));
      const last = storedOf(anEvent());
      for (const event of sent) transport.broadcast(event);
      await until(
        () => ear.knows(last),
        () => transport.broadcast(last),
      );
      for (const heard of ear.events) {
        assert.deepEqual(
          heard,
          [...sent, last].find(({ id }) => id === heard.id),
        );
      }
    },

    "every listener hears": async ({ transport, other, until }) => {
      const ears = [listen(other), listen(other), listen(other)];
      await until(
        () => ears.every(({ wakes }) => wakes > 0),
        () => transport.wake(),
      );
      const event = storedOf(anEvent());
      await until(
        () => ears.every((ear) => ear.knows(event)),
        () => transport.broadcast(event),
      );
    },

    "wake and broadcast answer nothing, at once": ({ transport }) => {
      assert.equal(transport.wake(), undefined);
      assert.equal(transport.broadcast(storedOf(anEvent())), undefined);
    },

    "an event of 256 KiB does no harm": async ({ transport, other, until }) => {
      const ear = listen(other);
      transport.broadcast(storedOf(anEvent({ payload: JSON.stringify("x".repeat(262_142)) })));
      await until(
        () => ear.wakes > 0,
        () => transport.wake(),
      );
    },

    "a listener that throws disturbs neither the sender nor the others": async ({
      transport,
      other,
      until,
    }) => {
      const fail = (): never => {
        throw new Error("a listener failed");
      };
      other.listen({ wake: fail, event: fail });
      const ear = listen(other);
      other.listen({ wake: fail, event: fail });
      await until(
        () => ear.wakes > 1,
        () => transport.wake(),
      );
      const event = storedOf(anEvent());
      await until(
        () => ear.knows(event),
        () => transport.broadcast(event),
      );
    },

    "a listener that was told to stop hears nothing more": async ({ transport, other, until }) => {
      const stopped = listen(other);
      const ear = listen(other);
      await until(
        () => stopped.wakes > 0,
        () => transport.wake(),
      );
      stopped.stop();
      stopped.stop();
      const { wakes } = stopped;
      const event = storedOf(anEvent());
      await until(
        () => ear.knows(event),
        () => transport.broadcast(event),
      );
      const before = ear.wakes;
      await until(
        () => ear.wakes > before,
        () => transport.wake(),
      );
      assert.deepEqual([stopped.wakes, stopped.events], [wakes, []]);
    },

    "a listener that stops while it hears keeps no other from hearing": async ({
      transport,
      other,
      until,
    }) => {
      const stop = other.listen({ wake: () => stop(), event: () => stop() });
      const ear = listen(other);
      await until(
        () => ear.wakes > 0,
        () => transport.wake(),
      );
    },

    "after close nothing is heard, and every method does nothing": async ({
      transport,
      other,
      join,
      until,
    }) => {
      const ear = listen(other);
      const late = listen(other);
      await until(
        () => ear.wakes > 0,
        () => transport.wake(),
      );
      await other.close();
      const { wakes } = ear;
      other.wake();
      other.broadcast(storedOf(anEvent()));
      const deaf = listen(other);
      deaf.stop();
      late.stop();
      await other.close();
      if (transport !== other) {
        const witness = listen(await join());
        await until(
          () => witness.wakes > 0,
          () => transport.wake(),
        );
      }
      assert.deepEqual([ear.wakes, ear.events, deaf.wakes], [wakes, [], 0]);
    },
  }),

  ...cases<TransportHarness, Wire>("transport", ["join"], play, {
    "a process that closes its transport disturbs no other": async ({
      transport,
      other,
      join,
      until,
    }) => {
      const third = await join();
      const ear = listen(third);
      await other.close();
      await until(
        () => ear.wakes > 0,
        () => transport.wake(),
      );
    },
  }),
];

interface Ear {
  wakes: number;
  readonly events: StoredEvent[];
  knows(event: StoredEvent): boolean;
  stop(): void;
}

function listen(transport: Transport): Ear {
  const events: StoredEvent[] = [];
  const ear: Ear = {
    wakes: 0,
    events,
    knows: ({ id }) => events.some((event) => event.id === id),
    stop: () => stop(),
  };
  const listener: TransportListener = {
    wake: () => {
      ear.wakes += 1;
    },
    event: (event) => void events.push(event),
  };
  const stop = transport.listen(listener);
  return ear;
}

const DEFAULT_PATIENCE_MS = 5_000;
const REPEAT_MS = 20;

async function play(
  harness: TransportHarness,
  needs: readonly string[],
  law: Law<Wire>,
): Promise<string | null> {
  const missing = needs.find((need) => !(need in harness));
  if (missing !== undefined) return `the harness has no \`${missing}\``;
  const opened: Transport[] = [await harness.open()];
  const [transport] = opened as [Transport];
  const join = async (): Promise<Transport> => {
    const joined = (await harness.join?.()) ?? transport;
    opened.push(joined);
    return joined;
  };
  const until: Wire["until"] = async (isHeard, send) => {
    const giveUpAt = performance.now() + (harness.patienceMs ?? DEFAULT_PATIENCE_MS);
    for (;;) {
      send();
      await new Promise((resolve) => setImmediate(resolve));
      if (isHeard()) return;
      if (performance.now() > giveUpAt) assert.fail("nothing of what was sent was heard");
      await new Promise((resolve) => setTimeout(resolve, REPEAT_MS));
    }
  };
  try {
    await law({ transport, other: await join(), join, until });
    return null;
  } finally {
    for (const each of opened) await each.close();
  }
}
