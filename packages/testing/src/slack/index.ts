export { validateBlocks } from "./blocks.ts";
export type { Fault, FaultAction, FaultMatch } from "./faults.ts";
export type { FakeMessage } from "./messages.ts";
export type { Rate } from "./rate.ts";
export type { Traffic } from "./traffic.ts";
export type { Invitation } from "./page/page.ts";
export { type SlackPageOptions, slackPage } from "./page/serve.ts";
export type { RecordedRequest } from "./record.ts";
export type { FakeSlack, FakeSlackOptions } from "./server.ts";
export { createFakeSlack } from "./server.ts";
export type {
  ChannelChange,
  ChannelOptions,
  FakeChannel,
  FakeToken,
  FakeWorkspace,
  TokenChange,
  TokenOptions,
  WorkspaceChange,
  WorkspaceOptions,
} from "./workspace.ts";
