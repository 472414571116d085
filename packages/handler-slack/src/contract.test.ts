import { handlerContract } from "@posthorn/testing/contract";
import { createFakeSlack } from "@posthorn/testing/slack";
import { afterAll, it } from "vitest";
import { slack } from "./slack.ts";

const fake = await createFakeSlack({ channelRate: false, teamRate: false });
afterAll(() => fake.close());

let heal = (): unknown => undefined;
const always = (action: Parameters<typeof fake.fault>[0]["action"]) => (): void => {
  heal();
  heal = fake.fault({ action, times: Number.POSITIVE_INFINITY });
};

const harness = {
  handler: slack({ baseUrl: fake.url }),
  configuration: { token: "xoxb-fake", channel: "#general", username: "CloudTruth" },
  received: () => fake.requests.map(({ body }) => body),
  destination: {
    succeed: () => heal(),
    fail: always({ type: "html" }),
    refuse: always({ type: "error", error: "invalid_blocks" }),
    throttle: always({ type: "status", status: 429, headers: { "retry-after": "30" } }),
    hang: always({ type: "hang" }),
    cut: always({ type: "post_then_reset" }),
  },
};

for (const { name, run } of handlerContract) it(name, (test) => run(harness, test));
