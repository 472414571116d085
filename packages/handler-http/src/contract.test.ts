import { createReceiver, type ReceiverReply } from "@posthorn/testing";
import { handlerContract } from "@posthorn/testing/contract";
import { afterAll, it } from "vitest";
import { loopback, SECRET } from "../test/call.ts";
import { http } from "./http.ts";

const receiver = await createReceiver();
afterAll(() => receiver.close());

const always = (reply: ReceiverReply) => (): void => receiver.respond(() => reply);

const configuration = {
  url: receiver.url,
  secret: SECRET,
  authorization: "Bearer abcdefghijkl",
  secret_headers: "X-Api-Key: mnopqrstuvwx",
};

const harness = {
  handler: http(loopback),
  configuration,
  received: () => receiver.requests.map(({ body }) => body),
  destination: {
    succeed: always({}),
    fail: always({ status: 500, body: "broken" }),
    refuse: always({ status: 400, body: `no: ${Object.values(configuration).join()}` }),
    throttle: always({ status: 429, headers: { "retry-after": "30" } }),
    hang: always("hang"),
    cut: always("reset"),
  },
};

for (const { name, run } of handlerContract) it(name, (test) => run(harness, test));
