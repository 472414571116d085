export { slack, type SlackOptions } from "./slack.ts";
export type { SlackConfiguration, SlackConfigurationInput } from "./configuration.ts";
export {
  type SlackManifest,
  type SlackManifestOptions,
  slackInstallUrl,
  slackManifest,
  slackScopes,
} from "./manifest.ts";
export type { Templates } from "./template.ts";
export type { Field, Message } from "./message.ts";
export { bold, code, date, link, mrkdwn, type Inline, type Mrkdwn, type Scalar } from "./mrkdwn.ts";
