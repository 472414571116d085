import { createReceiver } from "@posthorn/testing";
import { handlerContract } from "@posthorn/testing/contract";
import { afterAll, describe, it } from "vitest";
import { discord } from "./discord.ts";

const receiver = await createReceiver();
afterAll(() => receiver.close());

describe("discord keeps the handler contract", () => {
  const limited = { message: "You are being rate limited.", retry_after: 1.337, global: false };
  const harness = {
    handler: discord({ baseUrl: receiver.url }),
    configuration: { url: `${receiver.url}42/recognisable-token`, username: "Posthorn" },
    destination: {
      succeed: () => receiver.respond(() => ({ status: 204 })),
      fail: () => receiver.respond(() => ({ status: 502 })),
      refuse: () => receiver.respond(() => ({ status: 400 })),
      throttle: () => receiver.respond(() => ({ status: 429, body: JSON.stringify(limited) })),
      hang: () => receiver.respond(() => "hang"),
      cut: () => receiver.respond(() => "reset"),
    },
    received: () => receiver.requests.map(({ body }) => body),
  };
  for (const entry of handlerContract) it(entry.name, (test) => entry.run(harness, test));
});
