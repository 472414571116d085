import { getEventListeners } from "node:events";
import { virtualSystem } from "@posthorn/testing";
import { expect, it } from "vitest";
import { fakeClient } from "../test/fake-client.ts";
import { createOutbox } from "./outbox.ts";
import { session } from "./session.ts";

it("a session that failed leaves nothing on the signal that would have ended it", async () => {
  const client = fakeClient();
  client.refuse("listen", new Error("permission denied"));
  const { signal } = new AbortController();
  const life = session({
    client,
    channel: "posthorn",
    outbox: createOutbox("p1"),
    system: virtualSystem(),
    heartbeatMs: 10_000,
    signal,
    onUp: () => {},
    onPayload: () => {},
  });
  await expect(life).rejects.toThrow("permission denied");
  expect(getEventListeners(signal, "abort")).toEqual([]);
});
