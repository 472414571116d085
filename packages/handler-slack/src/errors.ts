/** What an error of Slack's Web API means, and what its reader can do about it. */
export interface SlackError {
  /**
   * - `auth`: the token is of no use any more.
   * - `destination`: this app may not post to this channel, until somebody changes that.
   * - `scope`: the app lacks a permission.
   * - `message`: Slack does not take what was rendered.
   * - `bug`: Slack does not take how it was asked.
   * - `rate`: too many messages.
   * - `transient`: not posted, for now.
   * - `ambiguous`: Slack broke down, perhaps after posting.
   */
  readonly class:
    | "auth"
    | "destination"
    | "scope"
    | "message"
    | "bug"
    | "rate"
    | "transient"
    | "ambiguous";
  readonly remedy: string;
  /** For how long to leave Slack alone, in milliseconds, where it does not say so itself. */
  readonly waitMs?: number;
  /** `rate` only: the gate that is too narrow. */
  readonly gate?: "channel" | "workspace";
}

/** What Slack means by an error of each class, for people: the code goes in parentheses. */
export const meanings: Readonly<Record<SlackError["class"], string>> = {
  auth: "Slack does not accept the token",
  destination: "Slack does not let the app post to the channel",
  scope: "The Slack app lacks a permission",
  message: "Slack refuses what the message contains",
  bug: "Slack refuses how it was asked",
  rate: "Slack asks to wait",
  transient: "Slack cannot take the message now",
  ambiguous: "Slack broke down, perhaps after posting",
};

/** The error with this code; undefined for codes that nobody has documented. */
export function slackError(code: string): SlackError | undefined {
  if (Object.hasOwn(slackErrors, code)) return slackErrors[code];
  return families.find(([pattern]) => pattern.test(code))?.[1];
}

const auth = (remedy: string): SlackError => ({ class: "auth", remedy });
const destination = (remedy: string): SlackError => ({ class: "destination", remedy });
const message = (remedy: string): SlackError => ({ class: "message", remedy });
const bug = (remedy: string): SlackError => ({ class: "bug", remedy });
const transient = (remedy: string, waitMs?: number): SlackError => ({
  class: "transient",
  remedy,
  ...(waitMs !== undefined && { waitMs }),
});

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Where apps are; an app's own page lies below it. */
export const APPS = "https://api.slack.com/apps";

const RECOPY =
  "Copy the Bot User OAuth Token (xoxb-…) again from OAuth & Permissions of the Slack app.";
const INVITE = "Invite the app to the channel (/invite @its-name)";
const TEMPLATE = "Simplify the template of this event type, then deliver the event again.";
const REPORT = "Report this as a bug of @posthorn/handler-slack.";
const OUTDATED = "Check the handler's baseUrl, and update @posthorn/handler-slack.";
const BREAKDOWN = "Look for the message in the channel: Slack may have posted it.";
const POLICY = "Ask the Slack workspace's administrators to allow it.";

/**
 * Every error that chat.postMessage documents (https://docs.slack.dev/reference/methods/chat.postMessage),
 * the former ones still seen, and those of incoming webhooks, which say the same things.
 */
export const slackErrors: Readonly<Record<string, SlackError>> = {
  not_authed: auth("Set the token to the Bot User OAuth Token (xoxb-…) of the Slack app."),
  invalid_auth: auth(
    `${RECOPY} If it is the same, the app allows only certain IP addresses: add this server's.`,
  ),
  token_revoked: auth("Install the Slack app again, then set the token to its new one."),
  token_expired: auth("The token rotates. Use an app with token rotation switched off."),
  account_inactive: auth("The app's user or its workspace was deactivated. Install it again."),
  not_allowed_token_type: auth(
    "Use the Bot User OAuth Token (xoxb-…), not an app-level, legacy or configuration token.",
  ),
  is_bot: auth("This is the token of a legacy bot. Create a Slack app from the manifest."),
  as_user_not_supported: auth("This token is of a legacy kind. Create an app from the manifest."),
  two_factor_setup_required: auth("The token's owner must set up two-factor authentication."),
  team_access_not_granted: auth("Grant the organization-wide app access to this workspace."),
  enterprise_is_restricted: auth("Use the token of a workspace, not of an Enterprise."),

  app_access_restricted: destination(`The app is restricted. ${POLICY}`),
  accesslimited: destination(`The network is restricted. ${POLICY}`),
  access_denied: destination(`${INVITE}.`),
  no_permission: destination(`${INVITE}.`),
  action_prohibited: destination(`Posting is restricted. ${POLICY}`),
  ekm_access_denied: destination("Administrators have suspended posting. Ask them to resume it."),
  channel_not_found: destination(
    "There is no such channel, or it is private and the app is not in it. Check the channel. To a private one, invite the app (/invite @its-name) and give its id instead of its name.",
  ),
  not_in_channel: destination(`${INVITE}, or add the scope chat:write.public and reinstall it.`),
  is_archived: destination("Unarchive the channel, or choose another."),
  channel_is_archived: destination("Unarchive the channel, or choose another."),
  channel_is_limited_access: destination("Choose a channel that is open to apps."),
  team_not_found: destination("An organization-wide token needs the channel's id, not its name."),
  no_team: destination("The workspace is gone. Install the app in another and set its token."),
  no_service: destination("The integration is disabled or removed. Install it again."),
  restricted_action: destination(`The channel restricts who may post. ${POLICY}`),
  restricted_action_read_only_channel: destination("The channel is read-only. Choose another."),
  restricted_action_thread_only_channel: destination(
    "The channel takes only replies in threads. Choose another.",
  ),
  posting_to_general_channel_denied: destination(`Posting to #general is restricted. ${POLICY}`),
  messages_tab_disabled: destination("Switch the Messages tab of the app's home on."),
  send_on_behalf_not_allowed: destination(`Posting for others is restricted. ${POLICY}`),

  missing_scope: {
    class: "scope",
    remedy: `Add the scope under OAuth & Permissions of the Slack app (${APPS}), then reinstall the app.`,
  },

  restricted_action_non_threadable_channel: message("The channel takes no replies in threads."),
  restricted_action_thread_locked: message("The thread is locked."),
  cannot_reply_to_message: message("The message takes no replies."),
  invalid_blocks: message(TEMPLATE),
  invalid_blocks_format: message(TEMPLATE),
  msg_blocks_too_long: message(TEMPLATE),
  msg_too_long: message(TEMPLATE),
  too_many_attachments: message(TEMPLATE),
  attachment_payload_limit_exceeded: message(TEMPLATE),
  invalid_attachments: message(TEMPLATE),
  too_many_contact_cards: message(TEMPLATE),
  missing_file_data: message(TEMPLATE),
  markdown_text_conflict: message(REPORT),
  invalid_metadata_format: message(REPORT),
  invalid_metadata_schema: message(REPORT),
  metadata_too_large: message(REPORT),
  metadata_must_be_sent_from_app: message(REPORT),

  no_text: bug(REPORT),
  invalid_arguments: bug(REPORT),
  invalid_arg_name: bug(REPORT),
  invalid_array_arg: bug(REPORT),
  invalid_charset: bug(REPORT),
  invalid_form_data: bug(REPORT),
  invalid_post_type: bug(REPORT),
  missing_post_type: bug(REPORT),
  invalid_json: bug(REPORT),
  json_not_object: bug(REPORT),
  missing_argument: bug(REPORT),
  method_deprecated: bug(OUTDATED),
  deprecated_endpoint: bug(OUTDATED),
  unknown_method: bug(OUTDATED),
  upgrade_required: bug(OUTDATED),

  ratelimited: {
    class: "rate",
    gate: "channel",
    waitMs: 30 * SECOND,
    remedy: "Nothing: deliveries go on by themselves. Subscribe to fewer events if it stays.",
  },
  // Says "application has posted too many messages", and comes without a Retry-After.
  rate_limited: {
    class: "rate",
    gate: "workspace",
    waitMs: MINUTE,
    remedy: "Nothing: deliveries go on by themselves. Subscribe to fewer events if it stays.",
  },
  message_limit_exceeded: {
    class: "rate",
    gate: "workspace",
    // It lasts for hours, and a delivery that asks every quarter of one would not outlive it.
    waitMs: HOUR,
    remedy: "The workspace has used up its plan's messages. Upgrade it, or wait.",
  },

  service_unavailable: transient("See https://slack-status.com."),
  // Says that the request's body was missing or truncated, not that Slack took too long.
  request_timeout: transient("Check the proxy between this server and slack.com, if it goes on."),
  // A workspace that moves to an Enterprise organization is away for hours.
  team_added_to_org: transient("The workspace is being migrated: wait until that is done.", HOUR),
  org_login_required: transient("The workspace is being migrated: wait until that is done.", HOUR),

  // "It's possible some aspect of the operation succeeded before the error was raised."
  internal_error: { class: "ambiguous", remedy: BREAKDOWN },
  fatal_error: { class: "ambiguous", remedy: BREAKDOWN },
  duplicate_channel_not_found: { class: "ambiguous", remedy: BREAKDOWN },
  duplicate_message_not_found: { class: "ambiguous", remedy: BREAKDOWN },
};

const families: readonly (readonly [RegExp, SlackError])[] = [
  [/^slack_connect_.*_blocked$/, destination(`Sharing with others is restricted. ${POLICY}`)],
  [/^draft_/, bug(REPORT)],
];
