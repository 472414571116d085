import { receiverSecret } from "./receiver.ts";
import type { Rows } from "./rows.ts";

/** A request that somebody may make. */
export interface Command {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly url: string;
  readonly apiKey: string;
  readonly body?: unknown;
}

/** The payload of the product team's own document, with what its reader fills in. */
export const webhookPayload = (filledIn: {
  readonly token: string;
  readonly channel: string;
  readonly organization: string;
  readonly eventTypes?: readonly string[];
}): object => ({
  name: "MyNewWebhook",
  event_types: filledIn.eventTypes ?? ["parameter_created"],
  type: "slack",
  configuration: {
    token: filledIn.token,
    channel: filledIn.channel,
    username: "CloudTruth",
  },
  organization: filledIn.organization,
});

/** The same events, posted to a server: the example's own receiver, which knows the secret. */
export const signedPayload = (baseUrl: string): object => ({
  name: "MyServer",
  event_types: ["*"],
  type: "http",
  configuration: {
    url: new URL("/receiver/", baseUrl.replace("localhost", "127.0.0.1")).href,
    secret: receiverSecret,
  },
});

/** The request for a parameter that is not there yet, in the oldest project. */
export function newParameter(rows: Rows): {
  readonly method: "POST";
  readonly path: string;
  readonly body: { readonly name: string };
} {
  const [project] = rows.projects.values();
  const taken = new Set([...rows.parameters.values()].map(({ name }) => name));
  let name = "DB_HOST";
  for (let count = 2; taken.has(name); count += 1) name = `DB_HOST_${count}`;
  return { method: "POST", path: `projects/${project?.id}/parameters/`, body: { name } };
}

/** The command for a POSIX shell, ready to be copied. */
export function curl({ method, url, apiKey, body }: Command): string {
  const lines = [
    `curl ${method === "GET" ? "" : `-X ${method} `}${quoted(url)}`,
    `-H ${quoted(`Authorization: Api-Key ${apiKey}`)}`,
  ];
  if (body !== undefined) {
    lines.push(`-H ${quoted("Content-Type: application/json")}`);
    const short = JSON.stringify(body);
    const json = short.length < 60 ? short : JSON.stringify(body, null, 2);
    lines.push(`-d ${quoted(json).replaceAll("\n", "\n  ")}`);
  }
  return lines.join(" \\\n  ");
}

const quoted = (text: string): string =>
  /^[\w:/.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
