import type { FakeMessage, FakeSlack } from "@posthorn/testing/slack";
import { type Command, webhookPayload } from "./commands.ts";
import type { Workspace } from "./slack/workspaces.ts";
import { differences, snapshotOf, writeSnapshot } from "./snapshot.ts";

/** Where the tour is played. */
export interface Stage {
  readonly baseUrl: string;
  readonly workspace: Workspace;
  readonly slack: Pick<FakeSlack, "onMessage">;
  request(request: Request): Promise<Response>;
  /** Resolves when `posted()` is true, or when it has not become true for too long. */
  until(posted: () => boolean): Promise<void>;
  say(line: string): void;
  /** Take the messages that arrive for right, and write them down. */
  readonly updateSnapshots?: boolean;
}

/**
 * Plays the tour: a webhook for all twelve event types, then every one of them, each awaited in
 * Slack and compared with the snapshot of its name. It leaves nothing but history, and can be played
 * again.
 *
 * @returns whether all twelve messages arrived, once, each as its snapshot says
 */
export async function playTour(stage: Stage): Promise<boolean> {
  const { workspace, slack, say } = stage;
  const inbox: FakeMessage[] = [];
  const stopListening = slack.onMessage((message) => inbox.push(message));
  try {
    const webhook = await subscribe(stage);
    const created = new Map<string, string>();
    let right = 0;
    for (const step of steps) {
      const answer = await send(stage, toCommand(step, stage, created));
      if (step.as !== undefined) created.set(step.as, String(answer["url"]));
      await stage.until(() => inbox.length > 0);
      if (await check(stage, step.eventType, inbox.splice(0))) right += 1;
    }
    await send(stage, { method: "DELETE", url: webhook, apiKey: workspace.apiKey });
    say("");
    const channel = workspace.channels[0]?.name;
    say(`${right} of ${steps.length} messages arrived in #${channel} as their snapshots say.`);
    return right === steps.length;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(error.message);
    return false;
  } finally {
    stopListening();
  }
}

/** A change of the tour. Paths and references name what earlier steps created: `{project}`. */
interface Step {
  readonly eventType: string;
  readonly method: "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
  /** What later steps call it. */
  readonly as?: string;
}

const steps: readonly Step[] = [
  {
    eventType: "project_created",
    method: "POST",
    path: "/api/v1/projects/",
    body: { name: "web", description: "The storefront" },
    as: "project",
  },
  {
    eventType: "environment_created",
    method: "POST",
    path: "/api/v1/environments/",
    body: { name: "review" },
    as: "environment",
  },
  {
    eventType: "parameter_created",
    method: "POST",
    path: "{project}parameters/",
    body: { name: "DB_HOST" },
    as: "parameter",
  },
  {
    eventType: "value_created",
    method: "POST",
    path: "{parameter}values/",
    body: { environment: "{environment}", internal_value: "db-1.internal" },
    as: "value",
  },
  {
    eventType: "project_updated",
    method: "PATCH",
    path: "{project}",
    body: { name: "storefront" },
  },
  {
    eventType: "environment_updated",
    method: "PATCH",
    path: "{environment}",
    body: { name: "preview", description: "One for each pull request" },
  },
  {
    eventType: "parameter_updated",
    method: "PATCH",
    path: "{parameter}",
    body: { description: "Where the database is", secret: true },
  },
  {
    eventType: "value_updated",
    method: "PATCH",
    path: "{value}",
    body: { internal_value: "db-2.internal" },
  },
  { eventType: "value_deleted", method: "DELETE", path: "{value}" },
  { eventType: "parameter_deleted", method: "DELETE", path: "{parameter}" },
  { eventType: "environment_deleted", method: "DELETE", path: "{environment}" },
  { eventType: "project_deleted", method: "DELETE", path: "{project}" },
];

/** @returns the webhook's url */
async function subscribe(stage: Stage): Promise<string> {
  const { baseUrl, workspace } = stage;
  const { apiKey, token, organization } = workspace;
  const webhook = await send(stage, {
    method: "POST",
    url: `${baseUrl}/api/v1/webhooks/`,
    apiKey,
    body: webhookPayload({
      token,
      channel: `#${workspace.channels[0]?.name}`,
      organization,
      eventTypes: steps.map(({ eventType }) => eventType),
    }),
  });
  if (JSON.stringify(webhook).includes(token)) throw new Refused("✗ The answer shows the token.");
  stage.say(`  ${JSON.stringify(webhook["configuration"])}\n`);
  return String(webhook["url"]);
}

/** An answer that ends the tour. */
class Refused extends Error {}

async function send(stage: Stage, command: Command): Promise<Readonly<Record<string, unknown>>> {
  const { method, url, apiKey, body } = command;
  stage.say(`→ ${method} ${new URL(url).pathname}${body ? ` ${JSON.stringify(body)}` : ""}`);
  const response = await stage.request(
    new Request(url, {
      method,
      headers: { authorization: `Api-Key ${apiKey}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }),
  );
  const text = await response.text();
  stage.say(`← ${response.status}`);
  if (!response.ok)
    throw new Refused(`✗ ${method} ${url} was answered ${response.status}: ${text}`);
  return text === "" ? {} : JSON.parse(text);
}

function toCommand(
  { method, path, body }: Step,
  { baseUrl, workspace }: Stage,
  created: ReadonlyMap<string, string>,
): Command {
  const filledIn = (text: string): string =>
    text.replace(/\{(\w+)\}/, (_, name: string) => created.get(name) ?? "");
  const url = new URL(filledIn(path), baseUrl).href;
  const { apiKey } = workspace;
  if (body === undefined) return { method, url, apiKey };
  const fields = Object.entries(body).map(([key, value]) => [
    key,
    typeof value === "string" ? filledIn(value) : value,
  ]);
  return { method, url, apiKey, body: Object.fromEntries(fields) };
}

/** Is it one message, and the one that the snapshot shows? */
async function check(
  { say, updateSnapshots = false }: Stage,
  eventType: string,
  messages: readonly FakeMessage[],
): Promise<boolean> {
  for (const { username, text } of messages) {
    say(`  ${username}: ${text.replaceAll("\n", "\n    ")}`);
  }
  const [message] = messages;
  if (message === undefined || messages.length > 1) {
    say(`✗ ${messages.length} messages arrived for ${eventType}; it should be one.\n`);
    return false;
  }
  if (updateSnapshots) await writeSnapshot(eventType, snapshotOf(message));
  const found = await differences(eventType, snapshotOf(message));
  say(found === null ? `✓ ${eventType}\n` : `✗ ${eventType}\n${found}\n`);
  return found === null;
}
