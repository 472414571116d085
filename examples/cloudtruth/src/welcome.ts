import { relative } from "node:path";
import { type Command, curl, newParameter, signedPayload, webhookPayload } from "./commands.ts";
import type { Home } from "./home.ts";
import type { Example } from "./start.ts";

/** What a person at a terminal can do with the example: a short tour to copy. */
export async function welcome(
  { baseUrl, workspaces, store }: Example,
  { database, keyFile }: Home,
): Promise<string> {
  const [workspace] = workspaces;
  if (workspace === undefined) throw new Error("The example has no Slack workspace.");
  const { apiKey, token, organization, channels } = workspace;
  const channel = `#${channels[0]?.name}`;
  const rows = await store.read(organization);
  const command = (rest: Pick<Command, "method" | "body"> & { path: string }): string =>
    indented(curl({ ...rest, apiKey, url: `${baseUrl}/api/v1/${rest.path}` }));

  const payload = webhookPayload({ token, channel, organization });
  const keys = workspaces.map((each) => `${each.apiKey} (${each.organization})`).join(", ");
  return `
CloudTruth, an example of Posthorn

  Slack  ${baseUrl}/slack/
  API    ${baseUrl}/api/v1/  with the API keys ${keys}

A restart loses nothing; only the fake Slack forgets its messages. To begin anew, delete both:

  database  ${shortest(database.name)}
  key       ${keyFile === null ? "POSTHORN_KEY" : shortest(keyFile)}, which seals the webhooks' tokens

A tour, to be copied into another terminal:

1. Tell ${channel} about new parameters, with the payload of the product's own document.
   Yours to fill in are the token of a Slack app, a channel, a username, and the organization,
   which may as well be left out.

${command({ method: "POST", path: "webhooks/", body: payload })}

2. Create a parameter, and see it at ${baseUrl}/slack/

${command(newParameter(rows))}

3. See the webhook again: its token stays secret, its status says whether messages arrive.

${command({ method: "GET", path: "webhooks/" })}

4. Have all events posted to a server, signed as Standard Webhooks says. This one is a part of the
   example, and logs what it takes: repeat the second step. Without a secret, one is made and shown once.

${command({ method: "POST", path: "webhooks/", body: signedPayload(baseUrl) })}

5. Make a mistake, and be told what and where.

${command({ method: "POST", path: "webhooks/", body: { ...payload, event_types: ["parameter_craeted"] } })}

All twelve event types by themselves: npm start -- --tour     Ctrl+C ends the example.
`;
}

/** A path from here, if that is not a detour. */
function shortest(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return path.startsWith("/") && !fromHere.startsWith("..") ? fromHere : path;
}

const indented = (text: string): string => text.replace(/^/gm, "   ");
