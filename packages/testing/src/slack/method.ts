import type { JsonObject } from "./json.ts";
import type { Messages } from "./messages.ts";
import { Refusal } from "./refusal.ts";
import type { FakeToken, World } from "./workspace.ts";

/** One call of one method, read and authenticated. */
export interface Call {
  readonly values: JsonObject;
  readonly token: FakeToken;
  readonly world: World;
  readonly messages: Messages;
  /** Epoch ms by the fake's clock. */
  readonly now: number;
  readonly rules: Rules;
  /** Came the arguments as a form, in which everything is a string? */
  readonly isForm: boolean;
  /** Above the rate: it is stored, and shown to nobody. */
  readonly hidden: boolean;
  /** Adds a warning to the reply. */
  warn(warning: string): void;
}

/** What is disputed, as this fake decides it: see the options of the same names. */
export interface Rules {
  readonly missingCustomize: "reject" | "ignore";
  readonly emptyUsername: "reject" | "ignore";
  readonly privateByName: boolean;
  readonly dedupeClientMsgId: boolean;
  readonly splitReturns: "first" | "last";
  readonly splitBesideBlocks: boolean;
  readonly stringsInJson: "reject" | "accept";
  readonly blocksBudget: number;
  readonly messageLimit: number;
}

/** A method of the Web API. */
export interface Method {
  /** The scopes of which each would allow it: the reply's `x-accepted-oauth-scopes`. */
  readonly acceptedScopes: readonly string[];
  /** Which kinds of tokens may call it. Default: bots and users. */
  readonly kinds?: readonly FakeToken["kind"][];
  /** Answers with the members of a reply whose `ok` is true, or throws a `Refusal`. */
  readonly run: (call: Call) => JsonObject;
}

/** Throws `missing_scope`, which names what is needed and what the token has (documented). */
export function missingScope(token: FakeToken, needed: string): Refusal {
  return new Refusal("missing_scope", { needed, provided: token.scopes.join(",") });
}

/** `auth.test`: needs no scope; tells whose token it is. */
export const authTest: Method = {
  acceptedScopes: [],
  run({ token, world }) {
    const workspace = world.workspace(token.workspace);
    return {
      url: `https://${workspace.domain}.slack.com/`,
      team: workspace.name,
      user: token.appName.toLowerCase().replaceAll(" ", "_"),
      team_id: workspace.id,
      user_id: token.userId,
      ...(token.kind === "bot" && { bot_id: token.botId, app_id: token.app }),
      is_enterprise_install: token.orgWide,
      ...(token.expiresIn !== undefined && { expires_in: token.expiresIn }),
    };
  },
};

/** The argument `channel`, or `invalid_arguments` in the words of real replies. */
export function channelArgument(values: JsonObject): string {
  const channel = values["channel"];
  if (channel === undefined || channel === null || channel === "") {
    throw invalidArguments("missing required field: channel");
  }
  if (typeof channel !== "string") {
    throw invalidArguments("must provide a string [json-pointer:/channel]");
  }
  return channel;
}

/** `invalid_arguments` with one finding. */
export function invalidArguments(finding: string): Refusal {
  return new Refusal("invalid_arguments", {
    response_metadata: { messages: [`[ERROR] ${finding}`] },
  });
}
