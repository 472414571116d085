import { describe, expect, it, vi } from "vitest";
import { type FakeClient, fakeClient } from "../test/fake-client.ts";
import { event, type Stage, stage } from "../test/stage.ts";
import { readPayload } from "./notification.ts";
import { postgresTransport } from "./transport.ts";

describe("telling", () => {
  it("sends a wake at once when it was silent", async () => {
    const { transport, pass, sent } = await stage();
    transport.wake();
    await pass();
    expect(sent()).toHaveLength(1);
    await pass(25);
    transport.wake();
    await pass();
    expect(sent()).toHaveLength(2);
  });

  it("sends 10,000 wakes of a second as 42 notifications, the last of them after the last wake", async () => {
    const { transport, pass, sent } = await stage();
    for (let ms = 0; ms < 1_010; ms += 1) {
      for (let wakes = 0; wakes < 10; wakes += 1) transport.wake();
      await pass(1);
    }
    const before = sent().length;
    await pass(25);
    expect([before, sent().length]).toEqual([41, 42]);
    await pass(5_000);
    expect(sent()).toHaveLength(42);
  });

  it("sends what is said in one breath together", async () => {
    const { transport, pass, sent } = await stage();
    for (let number = 0; number < 30; number += 1) transport.broadcast(event(`e${number}`));
    transport.wake();
    await pass();
    expect(sent()).toHaveLength(1);
    const [payloads = []] = sent();
    const news = payloads.map((payload) => readPayload(payload));
    expect(news.flatMap((one) => one?.events.map(({ id }) => id))).toEqual(
      Array.from({ length: 30 }, (_, number) => `e${number}`),
    );
    expect(news.every((one) => one?.wake)).toBe(true);
  });

  it("keeps a wake until there is a connection, and the newest 1,000 events", async () => {
    const { transport, clients, pass, sent } = await stage({
      prepare: (client, index) => index === 0 && client.refuse("connect", new Error("refused")),
    });
    transport.wake();
    for (let number = 0; number < 1_001; number += 1) transport.broadcast(event(`e${number}`));
    await pass(100);
    expect(clients).toHaveLength(2);
    const news = sent(1).flatMap((payloads) => payloads.map((payload) => readPayload(payload)));
    expect(news[0]?.wake).toBe(true);
    const ids = news.flatMap((one) => one?.events.map(({ id }) => id) ?? []);
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([1_000, "e1", "e1000"]);
  });

  it("repeats a wake whose notification failed", async () => {
    const { transport, clients, pass, sent } = await stage();
    clients[0]?.refuse("pg_notify", new Error("too many notifications in the NOTIFY queue"));
    transport.wake();
    await pass(100);
    expect(
      sent(1)
        .flat()
        .map((payload) => readPayload(payload)?.wake),
    ).toEqual([true]);
  });

  it("does not send an event that no notification has room for, and says so", async () => {
    const { transport, logger, ear, pass, sent } = await stage();
    transport.broadcast(event("large", JSON.stringify("x".repeat(8_000))));
    await pass();
    expect(sent()).toEqual([]);
    expect(ear.event).toHaveBeenCalledOnce();
    expect(logger.debug.mock.calls).toEqual([
      [{ event: "large" }, "An event is too large for other processes to hear."],
    ]);
  });

  it("tells other buses of this process without PostgreSQL, and each of them once", async () => {
    const { transport, clients, ear, pass, sent } = await stage();
    ear.wake.mockClear();
    transport.wake();
    transport.broadcast(event("e1"));
    expect([ear.wake.mock.calls.length, ear.event.mock.calls.length]).toEqual([1, 1]);
    await pass();
    for (const payload of sent().flat()) clients[0]?.notify(payload);
    expect([ear.wake.mock.calls.length, ear.event.mock.calls.length]).toEqual([1, 1]);
  });
});

describe("hearing", () => {
  const payload = JSON.stringify({ posthorn: 1, from: "p2", wake: true, events: [event("e1")] });

  it("hears what another process says", async () => {
    const { clients, ear } = await stage();
    ear.wake.mockClear();
    clients[0]?.notify(payload);
    expect(ear.wake).toHaveBeenCalledOnce();
    expect(ear.event.mock.calls).toEqual([[event("e1")]]);
  });

  it("does not hear other channels, nor what is not its own format", async () => {
    const { clients, ear } = await stage();
    ear.wake.mockClear();
    clients[0]?.notify(payload, "other");
    clients[0]?.notify("hello");
    clients[0]?.notify("");
    expect(ear.wake).not.toHaveBeenCalled();
    expect(ear.event).not.toHaveBeenCalled();
  });

  it("wakes when it begins to listen, since something may have been missed", async () => {
    const { ear } = await stage();
    expect(ear.wake).toHaveBeenCalledOnce();
  });

  it("neither tells nor hears events if it is to carry none", async () => {
    const { transport, clients, ear, pass, sent } = await stage({ events: false });
    transport.broadcast(event("e2"));
    transport.wake();
    await pass();
    clients[0]?.notify(payload);
    expect(
      sent()
        .flat()
        .map((one) => readPayload(one)?.events),
    ).toEqual([[]]);
    expect(ear.event.mock.calls).toEqual([[event("e2")]]);
  });

  it("listens on its channel", async () => {
    const { clients } = await stage({ channel: "acme_events" });
    expect(clients[0]?.asked[0]).toBe('listen "acme_events"');
  });
});

describe("a connection", () => {
  const beats = (client: FakeClient | undefined): number =>
    client?.asked.filter((asked) => String(asked).includes("pg_listening_channels")).length ?? 0;

  it("is asked after when it was silent for a heartbeat, and only then", async () => {
    const { transport, clients, pass } = await stage({ heartbeatMs: 2_000 });
    const first = beats(clients[0]);
    await pass(1_999);
    transport.wake();
    await pass(25);
    await pass(1_999);
    expect(beats(clients[0])).toBe(first);
    await pass(1);
    expect(beats(clients[0])).toBe(first + 1);
  });

  it.each(["connect", "listen", "pg_listening_channels", "pg_notify"])(
    "that does not answer to %s is given up after 5 seconds, and replaced",
    async (question) => {
      const { transport, clients, ear, logger, pass } = await stage({
        prepare: (client, index) => index === 0 && client.fallSilent(question),
      });
      transport.wake();
      ear.wake.mockClear();
      await pass(4_999);
      expect(clients[0]).toMatchObject({ isDestroyed: false });
      await pass(1);
      await pass(100);
      expect(clients).toHaveLength(2);
      expect(clients[0]).toMatchObject({ isDestroyed: true });
      expect(ear.wake).toHaveBeenCalledOnce();
      expect(logger.warn.mock.calls).toEqual([
        [{ error: "PostgreSQL did not answer within 5000 ms." }, expect.any(String)],
      ]);
      expect(logger.info.mock.calls).toEqual([[{ failures: 1 }, "The transport listens again."]]);
    },
  );

  it("that falls silent is noticed a heartbeat and 5 seconds later", async () => {
    const { clients, ear, pass } = await stage();
    clients[0]?.fallSilent();
    ear.wake.mockClear();
    await pass(10_000);
    await pass(5_000);
    await pass(1_000);
    expect(clients[0]).toMatchObject({ isDestroyed: true });
    await pass(100);
    expect(clients).toHaveLength(2);
    expect(ear.wake).toHaveBeenCalledOnce();
  });

  it("that never says goodbye is destroyed after a second", async () => {
    const { clients, pass } = await stage();
    clients[0]?.fallSilent();
    clients[0]?.fail(new Error("read ECONNRESET"));
    await pass(1_000);
    expect(clients[0]).toMatchObject({ isDestroyed: true, hasEnded: false });
    await pass(100);
    expect(clients).toHaveLength(2);
  });

  it.each<[string, (client: FakeClient) => unknown]>([
    ["fails", (client) => client.fail(new Error("gone"))],
    ["ends", (client) => client.end()],
  ])("that %s is replaced, and the listener is woken", async (_, lose) => {
    const { clients, ear, pass } = await stage();
    ear.wake.mockClear();
    await lose(clients[0] as FakeClient);
    await pass();
    expect(ear.wake).not.toHaveBeenCalled();
    await pass(100);
    expect(clients).toHaveLength(2);
    expect(ear.wake).toHaveBeenCalledOnce();
  });

  it("that has failed may fail again without harm", async () => {
    const { clients, pass } = await stage();
    clients[0]?.fail(new Error("gone"));
    await pass(100);
    clients[0]?.fail(new Error("gone again"));
    clients[0]?.notify(JSON.stringify({ posthorn: 1, from: "p2", wake: true, events: [] }));
    await pass(20_000);
    expect(clients).toHaveLength(2);
  });

  it("that stopped listening behind a pooler is given up, and the log says what to do", async () => {
    const { clients, logger, pass } = await stage();
    clients[0]?.forgetListen();
    await pass(10_000);
    await pass(100);
    expect(clients).toHaveLength(2);
    expect(logger.warn.mock.calls[0]?.[0]).toMatchObject({
      error: expect.stringContaining("A pooler in transaction mode"),
    });
  });

  it("is tried again with pauses that double up to 10 seconds, of which half is chance", async () => {
    const { createdAt, logger, pass } = await stage({
      prepare: (client) => client.refuse("connect", new Error("refused")),
    });
    for (let ms = 0; ms < 120_000; ms += 10) await pass(10);
    const pauses = createdAt.slice(1).map((at, index) => at - (createdAt[index] ?? 0));
    const longest = [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000];
    for (const [index, most] of longest.entries()) {
      expect(pauses[index]).toBeGreaterThanOrEqual(most / 2);
      expect(pauses[index]).toBeLessThanOrEqual(most + 10);
    }
    expect(longest.some((most, index) => (pauses[index] ?? most) < 0.9 * most)).toBe(true);
    expect(logger.warn).toHaveBeenCalledOnce();
    expect(logger.debug.mock.calls.length).toBe(createdAt.length - 1);
  });

  it("is tried again at once after it worked", async () => {
    const { clients, pass } = await stage({
      prepare: (client, index) =>
        index > 0 && index < 9 && client.refuse("connect", new Error("refused")),
    });
    clients[0]?.fail(new Error("gone"));
    await pass();
    while (clients.length < 10) await pass(1_000);
    await pass();
    clients[9]?.fail(new Error("gone"));
    await pass(100);
    expect(clients).toHaveLength(11);
  });

  it("is tried again after createClient failed", async () => {
    const [first, second] = [fakeClient(), fakeClient()];
    const createClient = vi
      .fn(() => second)
      .mockReturnValueOnce(first)
      .mockImplementationOnce(() => {
        throw new Error("no password in the vault");
      });
    const { logger, pass } = await stage({ createClient });
    first.fail(new Error("gone"));
    await pass(100);
    await pass(200);
    expect(logger.debug.mock.calls[0]?.[0]).toEqual({ error: "no password in the vault" });
    expect(second.asked).not.toEqual([]);
  });

  it("names each address that refused", async () => {
    const error = new AggregateError([new Error("connect ::1"), new Error("connect 127.0.0.1")]);
    const { logger } = await stage({ prepare: (client) => client.refuse("connect", error) });
    expect(logger.warn.mock.calls[0]?.[0]).toEqual({ error: "connect ::1; connect 127.0.0.1" });
  });

  it("needs no logger that works", async () => {
    const fail = (): never => {
      throw new Error("disk full");
    };
    const warn = async (): Promise<void> => fail();
    const { clients, pass } = await stage({
      logger: { debug: fail, info: fail, warn, error: fail },
      prepare: (client, index) => index < 2 && client.refuse("connect", new Error("refused")),
    });
    await pass(100);
    await pass(200);
    expect(clients).toHaveLength(3);
  });

  it("is not made before somebody tells or listens", async () => {
    const client = fakeClient();
    const createClient = vi.fn(() => client);
    const transport = postgresTransport({ createClient });
    await transport.close();
    expect(client.asked).toEqual([]);
    expect(createClient).toHaveBeenCalledOnce();
  });
});

describe("closing", () => {
  const moments: readonly {
    readonly state: string;
    readonly silence?: string;
    arrange?(stage: Stage): Promise<void> | void;
  }[] = [
    { state: "it listens" },
    {
      state: "it sends",
      silence: "pg_notify",
      arrange: ({ transport, pass }) => {
        transport.wake();
        return pass();
      },
    },
    {
      state: "it gathers what comes next",
      arrange: async ({ transport, pass }) => {
        transport.wake();
        await pass();
        transport.wake();
      },
    },
    { state: "it connects", silence: "connect" },
    {
      state: "it asks whether the connection is there",
      silence: "pg_listening_channels",
      arrange: ({ pass }) => pass(2_000),
    },
    {
      state: "it waits to connect again",
      arrange: ({ clients, pass }) => {
        clients[0]?.fail(new Error("gone"));
        return pass();
      },
    },
    {
      state: "its connection fails this instant",
      arrange: ({ clients }) => clients[0]?.fail(new Error("gone")),
    },
  ];

  it.each(moments)("ends everything while $state", async ({ silence, arrange }) => {
    const it = await stage({
      prepare: (client) => silence !== undefined && client.fallSilent(silence),
    });
    await arrange?.(it);
    const payload = JSON.stringify({ posthorn: 1, from: "p2", wake: true, events: [event("e2")] });
    const [told, heard] = [it.sent().length, it.ear.wake.mock.calls.length];
    await it.transport.close();
    await it.transport.close();
    expect(it.system.nextWakeAt).toBeNull();
    expect(it.clients.at(-1)).toMatchObject({ hasEnded: true, isDestroyed: true });
    it.transport.wake();
    it.transport.broadcast(event("e1"));
    it.transport.listen(it.ear);
    it.clients[0]?.notify(payload);
    await it.pass(60_000);
    expect([it.clients.length, it.sent().length]).toEqual([1, told]);
    expect([it.ear.wake.mock.calls.length, it.ear.event.mock.calls.length]).toEqual([heard, 0]);
  });

  it("is nothing to log", async () => {
    const { transport, logger } = await stage();
    await transport.close();
    for (const say of Object.values(logger)) expect(say).not.toHaveBeenCalled();
  });

  it("ends within a second if nobody answers", async () => {
    const { transport, clients, system, pass } = await stage();
    clients[0]?.fallSilent();
    const closed = transport.close();
    await pass(1_000);
    await closed;
    expect(clients[0]).toMatchObject({ isDestroyed: true });
    expect(system.nextWakeAt).toBeNull();
  });
});
