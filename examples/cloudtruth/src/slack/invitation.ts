import type { FakeChannel, Invitation } from "@posthorn/testing/slack";
import { type Command, curl, newParameter, webhookPayload } from "../commands.ts";
import type { Store } from "../store.ts";
import type { Workspace } from "./workspaces.ts";

/** How a channel without messages gets its first: with commands that work as they are. */
export const invitations =
  (options: {
    readonly workspaces: readonly Workspace[];
    readonly baseUrl: string;
    /** What the organization has, for the commands. */
    readonly read: Store["read"];
  }) =>
  async (channel: FakeChannel): Promise<Invitation> => {
    const { workspaces, baseUrl, read } = options;
    const workspace = workspaces.find(({ id }) => id === channel.workspace) as Workspace;
    const { apiKey, organization, token } = workspace;
    const name = `#${channel.name}`;
    const api = `${baseUrl}/api/v1`;
    const payload = webhookPayload({ token, channel: name, organization });
    const { path, ...parameter } = newParameter(await read(organization));
    const command = (title: string, request: Command): Invitation["commands"][number] => ({
      title,
      command: curl(request),
    });
    const first = [
      command(`Subscribe ${name} to new parameters`, {
        method: "POST",
        url: `${api}/webhooks/`,
        apiKey,
        body: payload,
      }),
      command("Create a parameter", { ...parameter, url: `${api}/${path}`, apiKey }),
    ];
    if (!channel.archived) {
      return {
        title: `Nothing in ${name} yet`,
        text: "Two commands in a terminal, and the first message is here.",
        commands: first,
      };
    }
    return {
      title: `Nothing can be posted in ${name}`,
      text: "It is archived. Subscribe it all the same, and see how its webhook says so.",
      commands: [
        ...first,
        command("Read the webhook's status", { method: "GET", url: `${api}/webhooks/`, apiKey }),
      ],
    };
  };
