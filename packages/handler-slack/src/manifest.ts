import { PosthornError } from "@posthorn/core";

/** What an app's manifest is made from. */
export interface SlackManifestOptions {
  /** How the app is called, in 1 to 35 characters: your product's name, say. */
  readonly name: string;
  /** What people read when they are asked to allow it, in at most 140 characters. */
  readonly description?: string | undefined;
  /** The same at length, in 175 to 4,000 characters. */
  readonly longDescription?: string | undefined;
  /** Behind its icon: `#36c` or `#3366cc`. */
  readonly backgroundColor?: string | undefined;
  /** The name of its messages where a webhook gives none, in 1 to 80 characters. Default: `name`. */
  readonly botName?: string | undefined;
  /** What it may do. Default: {@link slackScopes}`.full`. */
  readonly scopes?: readonly string[] | undefined;
  /** What an administrator may decline, and install it all the same. Default: nothing. */
  readonly optionalScopes?: readonly string[] | undefined;
}

/** An app's manifest, as Slack publishes its schema: https://docs.slack.dev/reference/app-manifest */
export interface SlackManifest {
  readonly _metadata: { readonly major_version: 1; readonly minor_version: 1 };
  readonly display_information: {
    readonly name: string;
    readonly description?: string;
    readonly long_description?: string;
    readonly background_color?: string;
  };
  readonly features: {
    readonly bot_user: { readonly display_name: string; readonly always_online: boolean };
  };
  readonly oauth_config: {
    readonly scopes: { readonly bot: readonly string[]; readonly bot_optional?: readonly string[] };
  };
  readonly settings: {
    readonly org_deploy_enabled: boolean;
    readonly socket_mode_enabled: boolean;
    readonly token_rotation_enabled: boolean;
  };
}

const minimal = ["chat:write"] as const;
const publicChannels = [...minimal, "chat:write.public"] as const;
const full = [...publicChannels, "chat:write.customize"] as const;

/** Scopes that make sense together, the fewest first. */
export const slackScopes: {
  /** Posts to channels that it was invited to, under its own name. */
  readonly minimal: readonly string[];
  /** Posts to all public channels. */
  readonly publicChannels: readonly string[];
  /** Posts under the webhook's `username`. */
  readonly full: readonly string[];
  /** Looks at a channel that is given by its id when a webhook is saved. */
  readonly verifyChannels: readonly string[];
} = { minimal, publicChannels, full, verifyChannels: [...full, "channels:read", "groups:read"] };

/**
 * The manifest of an app that posts what webhooks deliver. Its token does not rotate: a rotating one
 * ends after twelve hours, and nothing here renews it.
 *
 * @throws PosthornError `invalid_options` where Slack would refuse it
 */
export function slackManifest(options: SlackManifestOptions): SlackManifest {
  const { name, description, longDescription, backgroundColor } = options;
  const { botName = name, scopes = full, optionalScopes } = options;
  length("name", name, 1, 35);
  length("botName", botName, 1, 80);
  if (description !== undefined) length("description", description, 1, 140);
  if (longDescription !== undefined) length("longDescription", longDescription, 175, 4_000);
  if (backgroundColor !== undefined && !/^#(?:[0-9a-f]{3}|[0-9a-f]{6})$/i.test(backgroundColor)) {
    throw invalid("backgroundColor", "is no colour. Write it as #36c or #3366cc.");
  }
  scopesOf("scopes", scopes);
  if (!scopes.includes("chat:write")) {
    throw invalid("scopes", "lacks chat:write, without which nothing can be posted.");
  }
  if (optionalScopes !== undefined) scopesOf("optionalScopes", optionalScopes);
  return {
    _metadata: { major_version: 1, minor_version: 1 },
    display_information: {
      name,
      ...(description !== undefined && { description }),
      ...(longDescription !== undefined && { long_description: longDescription }),
      ...(backgroundColor !== undefined && { background_color: backgroundColor }),
    },
    features: { bot_user: { display_name: botName, always_online: false } },
    oauth_config: {
      scopes: {
        bot: [...scopes],
        ...(optionalScopes !== undefined && { bot_optional: [...optionalScopes] }),
      },
    },
    settings: {
      org_deploy_enabled: false,
      socket_mode_enabled: false,
      token_rotation_enabled: false,
    },
  };
}

/** A link that opens Slack where an app is made from this manifest. */
export const slackInstallUrl = (manifest: SlackManifest): string =>
  `https://api.slack.com/apps?new_app=1&manifest_json=${encodeURIComponent(JSON.stringify(manifest))}`;

function length(option: string, text: string, least: number, most: number): void {
  const { length } = [...text];
  if (length >= least && length <= most) return;
  throw invalid(option, `has ${length} characters. Slack takes ${least} to ${most}.`);
}

function scopesOf(option: string, scopes: readonly string[]): void {
  const wrong = scopes.find((scope) => !/^[a-z][a-z0-9:._-]{0,49}$/.test(scope));
  if (wrong !== undefined)
    throw invalid(option, `has ${JSON.stringify(wrong)}, which is no scope.`);
  if (scopes.length > 255) throw invalid(option, `has ${scopes.length} scopes. Slack takes 255.`);
}

const invalid = (option: string, problem: string): PosthornError =>
  new PosthornError("invalid_options", `The Slack app's ${option} ${problem}`);
