import { createFakeSlack, type FakeChannel, type FakeSlack } from "@posthorn/testing/slack";

/** The Slack workspace of one of the example's organizations, as its administrator knows it. */
export interface Workspace {
  readonly id: string;
  readonly name: string;
  readonly organization: string;
  readonly apiKey: string;
  /** The Bot User OAuth Token of the app that is installed in it. */
  readonly token: string;
  readonly channels: readonly FakeChannel[];
}

/** Starts a fake Slack with a workspace for each organization. */
export async function createWorkspaces(): Promise<{
  readonly slack: FakeSlack;
  readonly workspaces: readonly Workspace[];
}> {
  const [first, ...others] = plans;
  const slack = await createFakeSlack({ workspace: first, channels: [], tokens: [] });
  for (const plan of others) slack.addWorkspace(plan);
  return {
    slack,
    workspaces: plans.map(({ id, channels, ...plan }) => {
      slack.addToken({ token: plan.token, workspace: id, appName: "CloudTruth Webhook" });
      return {
        ...plan,
        id,
        channels: channels.map((channel) => slack.addChannel({ workspace: id, ...channel })),
      };
    }),
  };
}

/** `old-releases` is there to fail: Slack refuses messages to archived channels. */
const plans = [
  {
    id: "T0ACME",
    name: "Acme",
    organization: "acme",
    apiKey: "acme-key",
    token: "xoxb-fake-acme",
    channels: [
      { name: "config-changes" },
      { name: "deployments" },
      { name: "general" },
      { name: "old-releases", archived: true },
    ],
  },
  {
    id: "T0GLOBEX",
    name: "Globex",
    organization: "globex",
    apiKey: "globex-key",
    token: "xoxb-fake-globex",
    channels: [{ name: "config" }, { name: "random" }],
  },
] as const;
