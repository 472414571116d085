import { createReceiver } from "@posthorn/testing";
import { handlerContract } from "@posthorn/testing/contract";
import { afterAll, describe, it } from "vitest";
import { pager } from "./pager.ts";

const receiver = await createReceiver();
afterAll(() => receiver.close());

describe("pager keeps the handler contract", () => {
  const harness = {
    handler: pager({ baseUrl: receiver.url }),
    configuration: { hook: `${receiver.url}hooks/4f1c-recognisable` },
    destination: {
      succeed: () => receiver.respond(() => ({ status: 202 })),
      fail: () => receiver.respond(() => ({ status: 503 })),
      refuse: () => receiver.respond(() => ({ status: 400 })),
      throttle: () => receiver.respond(() => ({ status: 429, headers: { "retry-after": "2" } })),
      hang: () => receiver.respond(() => "hang"),
      cut: () => receiver.respond(() => "reset"),
    },
    received: () => receiver.requests.map(({ body }) => body),
  };
  for (const entry of handlerContract) it(entry.name, (test) => entry.run(harness, test));
});
