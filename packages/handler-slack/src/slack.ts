import {
  type Catalog,
  type DeliverItem,
  defineHandler,
  type Event,
  failed,
  type Gate,
  type Handler,
  type Json,
  type Outcome,
  PosthornError,
} from "@posthorn/core";
import { call } from "./call.ts";
import {
  configuration,
  type SlackConfiguration,
  type SlackConfigurationInput,
} from "./configuration.ts";
import { type DigestItem, layOutDigest } from "./digest.ts";
import { type SlackManifestOptions, slackInstallUrl, slackManifest } from "./manifest.ts";
import { layOut, type Message, type MessageContent, type Origin } from "./message.ts";
import { type Posting, post } from "./post.ts";
import { messageFor, type Templates } from "./template.ts";
import { createTokens } from "./token.ts";
import { createTurns } from "./turns.ts";
import { verifyConfiguration } from "./verify.ts";

export interface SlackOptions<C extends Catalog = Catalog> {
  /** How events read in a channel, by event type; the others are rendered generically. */
  readonly templates?: Templates<C>;
  /** Your Slack app as customers make it: its manifest is shown to them. */
  readonly app?: SlackManifestOptions;
  /** Where Slack's Web API is: for tests and proxies. Default: `https://slack.com/api/`. */
  readonly baseUrl?: string;
  /** Epoch milliseconds, for what a process remembers of tokens. Default: `Date.now`. */
  readonly now?: () => number;
  readonly experimental?: {
    /**
     * Send the delivery's id as `client_msg_id`. Slack's documentation has no such argument, and
     * nobody has shown that it makes Slack drop a repetition: it is no guarantee. Default `false`.
     */
    readonly clientMsgId?: boolean;
  };
}

/**
 * Delivers events to Slack channels, with `chat.postMessage` and a bot token.
 *
 * @throws PosthornError `invalid_options` if `baseUrl` is not an absolute http or https URL, or `app`
 * is none that Slack would take.
 */
export function slack<C extends Catalog = Catalog>(
  options: SlackOptions<NoInfer<C>> = {},
): Handler<"slack", SlackConfigurationInput, SlackConfiguration> {
  const baseUrl = webApi(options.baseUrl ?? "https://slack.com/api/");
  const templates = (options.templates ?? {}) as Templates;
  const { now = Date.now, experimental = {} } = options;
  const tokens = createTokens(now);
  const poster = { baseUrl, tokens, now, inTurn: createTurns() };
  const manifest = slackManifest(options.app ?? { name: "Webhooks" });

  return defineHandler({
    type: "slack",
    description: "Posts to a Slack channel.",
    configuration,
    setup: {
      instructions,
      installUrl: slackInstallUrl(manifest),
      manifest: manifest as unknown as Json,
    },
    secrets: ["token"],
    gates,
    // Slack is one place for everybody: trouble passes in minutes, or a person must act.
    retry: {
      delaysMs: [SECOND, 5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, HOUR],
      jitter: 0.2,
      maxAgeMs: 7 * 24 * HOUR,
    },
    // Connecting takes at most ten of these (Node.js's own limit), so that its end is known.
    timeoutMs: 20 * SECOND,

    verify: (given, { signal }) =>
      verifyConfiguration(given, {
        tokens,
        call: (method, body) => call({ baseUrl, method, token: given.token, body, signal }),
      }),

    async deliver(context) {
      const { event, subscription, delivery } = context;
      const rendered = render(event, subscription, templates);
      if ("type" in rendered) return rendered;
      const posting: Posting = {
        configuration: context.configuration,
        state: context.state,
        signal: context.signal,
        attempt: delivery.attempt,
        content: (named) =>
          layOut(rendered.message, originOf(context, context.configuration, named)),
        clientMsgId: experimental.clientMsgId === true ? delivery.id : undefined,
      };
      return post(posting, poster);
    },

    batch: {
      max: MOST_IN_A_DIGEST,
      async deliver({ items, subscription, ...context }) {
        const messages: Message[] = [];
        for (const { event } of items) {
          const rendered = render(event, subscription, templates);
          if ("type" in rendered) return rendered;
          messages.push(rendered.message);
        }
        const content = (named: boolean): MessageContent => {
          const digest = items.map((item, index) => ({
            type: item.event.type,
            message: messages[index] as Message,
            origin: originOf(item, context.configuration, named),
          }));
          return layOutDigest(digest as [DigestItem, ...DigestItem[]]);
        };
        return post({ ...context, attempt: 1, content }, poster);
      },
    },
  });
}

/** What waits for a channel's turn goes in one message of up to so many events. */
const MOST_IN_A_DIGEST = 50;

/** A fixed template heals what still waits, so its throw is not the event's fault for good. */
function render(
  event: Event,
  subscription: { readonly name: string },
  templates: Templates,
): { readonly message: Message } | Outcome {
  try {
    return { message: messageFor(event, subscription, templates) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return failed(`The template for ${event.type} threw: ${why}`, {
      remedy: "Correct the template and deploy it.",
    });
  }
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const instructions: readonly string[] = [
  "Go to <https://api.slack.com/apps>.",
  "Click **Create New App**.",
  "Select **From a manifest**, and choose the workspace.",
  "Paste the manifest, and click **Next**.",
  "Click **Create**.",
  "Click **OAuth & Permissions** on the left.",
  "Click **Install to** (your workspace), and allow it. Some workspaces ask an administrator first.",
  "Copy the **Bot User OAuth Token**. It begins with `xoxb-`.",
];

function webApi(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new PosthornError(
      "invalid_options",
      `slack({ baseUrl: ${JSON.stringify(baseUrl)} }) is not an absolute http or https URL. Leave it out to use https://slack.com/api/.`,
    );
  }
  return url.href.endsWith("/") ? url.href : `${url.href}/`;
}

/**
 * The limits are Slack's: https://docs.slack.dev/apis/web-api/rate-limits. It counts by app and
 * workspace. Which id a channel's name stands for is not known here; subscriptions that say it
 * differently share no gate, and a 429 makes up for it.
 */
function gates({ token, channel }: SlackConfiguration): readonly Gate[] {
  // The numbers in a bot's token are its workspace's and its own (seen, not documented).
  const [bot = token] = /^xoxb-\d+-\d+-/.exec(token) ?? [];
  return [
    // "No more than one message per second per channel", and bursts for a short time. What is above
    // may be hidden from readers.
    {
      name: "channel",
      key: `${bot} ${channel.replace(/^#/, "")}`,
      limit: 20,
      perMs: 21 * SECOND,
      burst: 3,
    },
    // "Several hundred messages per minute" in all; a burst is several channels at once.
    { name: "workspace", key: bot, limit: 240, perMs: MINUTE, burst: 20 },
    // Once it is revoked, it is of no use to any of them.
    { name: "token", key: token },
  ];
}

/** Where Slack refuses the username, the small print says it. */
const originOf = (
  { event, delivery }: DeliverItem,
  { username }: SlackConfiguration,
  named: boolean,
): Origin => ({
  occurredAt: event.occurredAt,
  organization: event.organization,
  deliveryId: delivery.id,
  attempt: delivery.attempt,
  sender: named ? null : username,
});
