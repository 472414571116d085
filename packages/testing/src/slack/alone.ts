import type { Invitation } from "./page/page.ts";
import { slackPage } from "./page/serve.ts";
import { createFakeSlack, type FakeSlack } from "./server.ts";
import type { FakeChannel } from "./workspace.ts";

/** What a fake Slack that runs alone is told on its command line. */
export interface AloneOptions {
  readonly port: number;
  readonly channels: readonly string[];
  readonly tokens: readonly string[];
}

/** The usage of `posthorn-fake-slack`. */
export const usage = `usage: posthorn-fake-slack [--port 4100] [--channel general]... [--token xoxb-fake]...

A fake of Slack's Web API, with a web page that shows its channels. Tokens such as xoxb-fatal_error,
xoxb-ratelimited_only_once and xoxb-503 make it fail so. Nothing leaves this computer.`;

/** @throws Error that says what is wrong with the arguments */
export function readArguments(given: readonly string[]): AloneOptions | "help" {
  const channels: string[] = [];
  const tokens: string[] = [];
  let port = 4_100;
  for (let at = 0; at < given.length; at += 2) {
    const [option = "", value] = given.slice(at, at + 2);
    if (option === "--help" || option === "-h") return "help";
    if (!["--port", "--channel", "--token"].includes(option)) {
      throw new Error(`There is no option ${option}.\n\n${usage}`);
    }
    if (value === undefined) throw new Error(`${option} needs a value.\n\n${usage}`);
    if (option === "--channel") channels.push(value.replace(/^#/, ""));
    if (option === "--token") tokens.push(value);
    if (option === "--port") port = portOf(value);
  }
  return {
    port,
    channels: channels.length > 0 ? channels : ["general", "random"],
    tokens: tokens.length > 0 ? tokens : ["xoxb-fake"],
  };
}

function portOf(value: string): number {
  const port = Number(value);
  if (Number.isInteger(port) && port >= 0 && port < 65_536) return port;
  throw new Error(`--port ${value} is no port. Give a whole number from 0 (any) to 65535.`);
}

/** Starts a fake Slack with its page, at `/` on its port. */
export function startAlone({ port, channels, tokens }: AloneOptions): Promise<FakeSlack> {
  return createFakeSlack({
    port,
    channels,
    tokens,
    tokenFaults: true,
    page: (slack) => slackPage({ slack, invite: (channel) => invitation(slack, channel, tokens) }),
  });
}

function invitation(
  { url }: FakeSlack,
  { name, archived }: FakeChannel,
  [token = ""]: readonly string[],
): Invitation {
  const body = JSON.stringify({ channel: name, text: "Hello" });
  return {
    title: archived ? `Nothing can be posted in #${name}` : `Nothing in #${name} yet`,
    text: archived ? "It is archived." : `Where Slack is asked for, give ${url}`,
    commands: [
      {
        title: "Post the first message",
        command: `curl ${url}chat.postMessage \\\n  -H 'Authorization: Bearer ${token}' \\\n  -H 'Content-Type: application/json; charset=utf-8' \\\n  -d '${body}'`,
      },
    ],
  };
}
