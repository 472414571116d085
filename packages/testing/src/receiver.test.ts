import { afterEach, expect, test } from "vitest";
import { createReceiver, type Receiver, type ReceiverOptions } from "./receiver.ts";

const open: Receiver[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((receiver) => receiver.close()));
});

async function start(options?: ReceiverOptions): Promise<Receiver> {
  const receiver = await createReceiver(options);
  open.push(receiver);
  return receiver;
}

test("answers 200 and remembers what it got", async () => {
  const receiver = await start({ now: () => 42 });
  const response = await fetch(`${receiver.url}hook?a=1`, {
    method: "POST",
    headers: { "x-signature": "v1" },
    body: '{"ä": 1}',
  });
  expect([response.status, await response.text()]).toEqual([200, ""]);
  expect(receiver.requests).toMatchObject([
    { method: "POST", path: "/hook?a=1", body: '{"ä": 1}', receivedAt: 42 },
  ]);
  expect(receiver.requests[0]?.headers["x-signature"]).toBe("v1");
});

test("gives the replies of a list one after the other, then 200 again", async () => {
  const receiver = await start();
  receiver.respond([
    { status: 503, headers: { "retry-after": "7" }, body: "down" },
    { status: 410 },
  ]);
  const first = await fetch(receiver.url);
  expect([first.status, first.headers.get("retry-after"), await first.text()]).toEqual([
    503,
    "7",
    "down",
  ]);
  expect((await fetch(receiver.url)).status).toBe(410);
  expect((await fetch(receiver.url)).status).toBe(200);
});

test("asks a function what to answer", async () => {
  const receiver = await start();
  receiver.respond(({ body }) => ({ status: body === "bad" ? 400 : 204 }));
  const statusFor = async (body: string) =>
    (await fetch(receiver.url, { method: "POST", body })).status;
  expect([await statusFor("bad"), await statusFor("good")]).toEqual([400, 204]);
});

test("a function that throws is seen as 500", async () => {
  const receiver = await start();
  receiver.respond(() => {
    throw new Error("oops");
  });
  expect((await fetch(receiver.url)).status).toBe(500);
});

test("cuts the connection after reading, when told to reset", async () => {
  const receiver = await start();
  receiver.respond(["reset"]);
  await expect(fetch(receiver.url, { method: "POST", body: "x" })).rejects.toThrow("fetch failed");
  expect(receiver.requests).toMatchObject([{ body: "x" }]);
});

test("answers after a delay", async () => {
  const receiver = await start();
  receiver.respond([{ delayMs: 1, status: 202 }]);
  expect((await fetch(receiver.url)).status).toBe(202);
});

test("closes even while a request hangs", async () => {
  const receiver = await start();
  receiver.respond(["hang"]);
  const hanging = fetch(receiver.url);
  const outcome = expect(hanging).rejects.toThrow("fetch failed");
  while (receiver.requests.length === 0) await new Promise(setImmediate);
  await receiver.close();
  await outcome;
});

test("rejects when its port is taken", async () => {
  const receiver = await start();
  await expect(createReceiver({ port: Number(new URL(receiver.url).port) })).rejects.toThrow(
    "EADDRINUSE",
  );
});
