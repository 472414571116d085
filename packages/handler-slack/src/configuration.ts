import type { Doubt } from "@posthorn/core";
import * as v from "valibot";

/** What a customer configures. */
export interface SlackConfiguration {
  /** The Bot User OAuth Token of a Slack app. */
  readonly token: string;
  /** A channel's name, with or without `#`, or its id. */
  readonly channel: string;
  /** The name under which messages appear. */
  readonly username: string;
  /** An emoji beside the name, such as `:bell:`. */
  readonly icon_emoji?: string | undefined;
  /**
   * What follows where nobody knows whether a message was posted: `retry` may post it twice,
   * `abandon` may lose it. Default: as the host has decided for all (`retry` unless it says so).
   */
  readonly on_ambiguous?: Doubt | undefined;
}

export type SlackConfigurationInput = SlackConfiguration;

/** The first pattern that a refused value matches says what is wrong with it. */
type Explanations = readonly (readonly [pattern: RegExp, message: string])[];

const BOT_TOKEN = "Use the Bot User OAuth Token (xoxb-…) under OAuth & Permissions.";

const token: Explanations = [
  [/^$/, "The token is empty. Copy the Bot User OAuth Token (xoxb-…) of your Slack app."],
  [
    /[^!-~]/,
    "The token contains a space, a line break or another character that no token has. Copy the Bot User OAuth Token again, alone.",
  ],
  [/^xapp-/, `This is an app-level token (xapp-…), which cannot post. ${BOT_TOKEN}`],
  [/^xoxe-/, `This is a refresh token (xoxe-…), which cannot post. ${BOT_TOKEN}`],
  [/^/, `This is the token of a browser session, which is not for apps. ${BOT_TOKEN}`],
];

const channel: Explanations = [
  [/^#?$/, "The channel is empty. Give its name (#releases) or its id (C0123456789)."],
  [/^@/, "This is a person. Give a channel's name (#releases) or its id (C0123456789)."],
  [
    /^https?:/,
    "This is a link. Give the channel's id, which is the part of the link like C0123456789.",
  ],
  [
    /^/,
    "This is neither a channel's name (#releases, at most 80 characters, no spaces) nor its id (C0123456789).",
  ],
];

const username: Explanations = [
  [/^\s*$/, "The username is empty. Give the name under which messages appear."],
  [/^.{81}/, "The username is longer than 80 characters."],
  [/^/, "The username contains a line break or another control character."],
];

const iconEmoji: Explanations = [
  [
    /^$/,
    "The icon is empty. Give an emoji's name between colons, such as :bell:, or leave it out.",
  ],
  [/^https?:/, "This is a link. Give an emoji's name between colons, such as :bell:."],
  [/^/, "This is no emoji's name. Give it between colons, as Slack writes it: :bell:."],
];

const KEYS = "token, channel, username, icon_emoji, on_ambiguous";

/**
 * The schema of {@link SlackConfiguration}: three keys, two more if wanted, no others. Tokens of unknown shape are
 * accepted, since Slack invents new ones.
 */
export const configuration: v.GenericSchema<SlackConfigurationInput, SlackConfiguration> =
  v.strictObject(
    {
      // One pattern each, without flags: so they are valid as JSON Schema too.
      token: v.pipe(
        v.string("The token must be a string: the Bot User OAuth Token (xoxb-…)."),
        v.regex(/^(?!xapp-|xoxe-|xox[cds]-)[!-~]+$/, explained(token)),
        v.title("Token"),
        v.description("The Bot User OAuth Token of your Slack app; it starts with xoxb-."),
        v.examples(["xoxb-your-token"]),
      ),
      channel: v.pipe(
        v.string("The channel must be a string: its name (#releases) or its id (C0123456789)."),
        v.regex(/^#?[^\s#@<>/,:"']{1,80}$/, explained(channel)),
        v.title("Channel"),
        v.description("The name of a public channel, such as #releases, or the id of any channel."),
        v.examples(["#releases"]),
      ),
      username: v.pipe(
        v.string("The username must be a string: the name under which messages appear."),
        v.regex(/^(?=.*\S)[ -~\u00a0-\uffff]{1,80}$/, explained(username)),
        v.title("Username"),
        v.description("The name under which messages appear in the channel."),
        v.examples(["Releases"]),
      ),
      icon_emoji: v.optional(
        v.pipe(
          v.string("The icon must be a string: an emoji's name between colons, such as :bell:."),
          v.regex(/^:[^\s:]{1,100}:(?::[^\s:]{1,100}:)?$/, explained(iconEmoji)),
          v.title("Icon"),
          v.description("An emoji beside the name, such as :bell:."),
        ),
      ),
      on_ambiguous: v.optional(
        v.pipe(
          v.picklist(
            ["retry", "abandon"],
            'Choose "retry" (a message may come twice) or "abandon" (a message may be lost).',
          ),
          v.title("When Slack does not answer"),
          v.description(
            "What to do where nobody knows whether a message was posted: retry (it may come twice) or abandon (it may be lost).",
          ),
        ),
      ),
    },
    ({ expected, received }) => {
      if (expected === "never") return `Unknown key ${received}. Keys: ${KEYS}.`;
      if (expected === "Object") return "Give an object with token, channel and username.";
      return `${expected} is missing. Slack needs token, channel and username.`;
    },
  );

function explained(explanations: Explanations): (issue: v.RegexIssue<string>) => string {
  return ({ input }) => explanations.find(([pattern]) => pattern.test(input))?.[1] ?? "";
}
