import {
  type Catalog,
  type DeliverContext,
  defineHandler,
  failed,
  type Gate,
  type Handler,
  type Outcome,
  PosthornError,
} from "@posthorn/core";
import {
  configuration,
  type SlackConfiguration,
  type SlackConfigurationInput,
} from "./configuration.ts";
import { layOut, type Message, type Origin } from "./message.ts";
import { post } from "./post.ts";
import { outcomeOf, type Reply } from "./reply.ts";
import { messageFor, type Templates } from "./template.ts";
import { noteUsername, recall, refusesUsername } from "./username.ts";

export interface SlackOptions<C extends Catalog = Catalog> {
  /** How events read in a channel, by event type; the others are rendered generically. */
  readonly templates?: Templates<C>;
  /** Where Slack's Web API is: for tests and proxies. Default: `https://slack.com/api/`. */
  readonly baseUrl?: string;
}

/**
 * Delivers events to Slack channels, with `chat.postMessage` and a bot token.
 *
 * @throws PosthornError `invalid_options` if `baseUrl` is not an absolute http or https URL.
 */
export function slack<C extends Catalog = Catalog>(
  options: SlackOptions<NoInfer<C>> = {},
): Handler<"slack", SlackConfigurationInput, SlackConfiguration> {
  const baseUrl = webApi(options.baseUrl ?? "https://slack.com/api/");
  const templates = (options.templates ?? {}) as Templates;

  return defineHandler({
    type: "slack",
    description: "Posts to a Slack channel.",
    configuration,
    secrets: ["token"],
    gates,
    // Slack is one place for everybody: trouble passes in minutes, or a person must act.
    retry: {
      delaysMs: [SECOND, 5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, HOUR],
      jitter: 0.2,
      maxAgeMs: 7 * 24 * HOUR,
    },

    async deliver(context) {
      const { event, subscription, signal } = context;
      const { token, channel, username } = context.configuration;
      let message: Message;
      try {
        message = messageFor(event, subscription, templates);
      } catch (error) {
        return templateThrew(event.type, error);
      }
      const send = (named: boolean): Promise<Reply> => {
        const content = layOut(message, originOf(context, named));
        const body = { channel, ...(named && { username }), ...content, ...AS_WRITTEN };
        return post({ baseUrl, token, body, signal });
      };

      const memory = recall(context.state);
      const named = memory.usernameRefused !== true;
      const first = await send(named);
      const refused = named && refusesUsername(first);
      const reply = refused ? await send(false) : first;
      return noteUsername(outcomeOf(reply), { username, reply, memory, refused });
    },
  });
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Nothing in an event makes Slack fetch a page, link a name or notify a group. */
const AS_WRITTEN = {
  parse: "none",
  link_names: false,
  unfurl_links: false,
  unfurl_media: false,
} as const;

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
 * Both limits are Slack's: https://docs.slack.dev/apis/web-api/rate-limits. Neither knows which
 * workspace a token belongs to, or which id a name stands for; subscriptions that say it
 * differently share nothing, and a 429 makes up for it.
 */
function gates({ token, channel }: SlackConfiguration): readonly Gate[] {
  return [
    // "No more than one message per second per channel". More may be hidden from readers.
    { name: "channel", key: `${token} ${channel.replace(/^#/, "")}`, limit: 1, perMs: SECOND },
    // "Several hundred messages per minute" in all; a burst is several channels at once.
    { name: "workspace", key: token, limit: 240, perMs: MINUTE, burst: 20 },
  ];
}

/** Where Slack refuses the username, the small print says it. */
const originOf = (
  { event, delivery, configuration }: DeliverContext<SlackConfiguration>,
  named: boolean,
): Origin => ({
  occurredAt: event.occurredAt,
  organization: event.organization,
  deliveryId: delivery.id,
  attempt: delivery.attempt,
  sender: named ? null : configuration.username,
});

/** A fixed template heals what still waits, so it is not the event's fault for good. */
function templateThrew(eventType: string, error: unknown): Outcome {
  const why = error instanceof Error ? error.message : String(error);
  return failed(`The template for ${eventType} threw: ${why}`, {
    remedy: "Correct the template and deploy it.",
  });
}
