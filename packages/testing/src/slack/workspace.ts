/** A team: channels and tokens belong to exactly one. */
export interface FakeWorkspace {
  readonly id: string;
  readonly name: string;
  /** The first label of `https://<domain>.slack.com/`. */
  readonly domain: string;
}

/** A channel as it is now; change it with `updateChannel`, `invite` and `kick`. */
export interface FakeChannel {
  readonly id: string;
  /** Without `#`. */
  readonly name: string;
  /** Id of its workspace. */
  readonly workspace: string;
  readonly private: boolean;
  readonly archived: boolean;
  /** Who may post: everyone, nobody of us, nobody (read only), or only replies in threads. */
  readonly posting: "everyone" | "restricted" | "read_only" | "thread_only";
  /** User ids, or tokens, whose user is meant. */
  readonly members: readonly string[];
}

/** A token as it is now; change it with `updateToken`. */
export interface FakeToken {
  readonly token: string;
  /** How records name this token, so that the token itself stays out of them. */
  readonly label: string;
  /** Id of its workspace. */
  readonly workspace: string;
  readonly scopes: readonly string[];
  readonly kind: "bot" | "user" | "app";
  readonly state: "active" | "revoked" | "expired" | "inactive" | "ip_blocked";
  /** Id of its app; tokens of one app in one workspace share its bot and its rate limits. */
  readonly app: string;
  readonly appName: string;
  readonly userId: string;
  readonly botId: string;
  /** Seconds, for rotating tokens: `auth.test` reports it. */
  readonly expiresIn?: number;
}

export type WorkspaceOptions = Partial<FakeWorkspace>;
export type ChannelOptions = Pick<FakeChannel, "name"> & Partial<FakeChannel>;
export type ChannelChange = Partial<Omit<FakeChannel, "id" | "workspace">>;
export type TokenOptions = Pick<FakeToken, "token"> &
  Partial<Omit<FakeToken, "token" | "userId" | "botId">>;
export type TokenChange = Partial<Pick<FakeToken, "scopes" | "state">>;

/** Everything a fake Slack knows about who and where; no clock, no I/O. */
export interface World {
  addWorkspace(options?: WorkspaceOptions): FakeWorkspace;
  addChannel(options: ChannelOptions | string): FakeChannel;
  updateChannel(channel: string, change: ChannelChange): FakeChannel;
  deleteChannel(channel: string): void;
  invite(channel: string, member: string): void;
  kick(channel: string, member: string): void;
  addToken(options: TokenOptions | string): FakeToken;
  updateToken(token: string, change: TokenChange): FakeToken;

  /** The channel with this id or name (`#` allowed), for the test's side of the fake. */
  channel(idOrName: string): FakeChannel;
  /** The channel that Slack would find for an API call: by id, or by name if it is public. */
  resolveChannel(workspace: string, idOrName: string): FakeChannel | undefined;
  isMember(channel: FakeChannel, token: FakeToken): boolean;
  token(token: string): FakeToken | undefined;
  tokens(): readonly FakeToken[];
  workspace(id: string): FakeWorkspace;
}

/** The scopes of a token that is given without any: what posting anywhere under any name needs. */
const DEFAULT_SCOPES: readonly string[] = [
  "chat:write",
  "chat:write.public",
  "chat:write.customize",
];

/** Creates an empty world. Ids count up, so that two runs of a test see the same ones. */
export function createWorld(): World {
  const workspaces = new Map<string, FakeWorkspace>();
  const channels = new Map<string, FakeChannel>();
  const tokens = new Map<string, FakeToken>();
  const bots = new Map<string, { userId: string; botId: string }>();
  let serial = 0;

  function newId(prefix: string): string {
    serial += 1;
    return `${prefix}0FAKE${String(serial).padStart(5, "0")}`;
  }

  function firstWorkspace(): string {
    return (workspaces.values().next().value ?? world.addWorkspace()).id;
  }

  function botOf(workspace: string, app: string): { userId: string; botId: string } {
    const key = `${workspace} ${app}`;
    const bot = bots.get(key) ?? { userId: newId("U"), botId: newId("B") };
    bots.set(key, bot);
    return bot;
  }

  const world: World = {
    addWorkspace(options = {}) {
      const { id = newId("T"), name = "Acme", domain = name.toLowerCase() } = options;
      const workspace = { id, name, domain };
      workspaces.set(id, workspace);
      return workspace;
    },

    addChannel(options) {
      const given = typeof options === "string" ? { name: options } : options;
      const channel: FakeChannel = {
        id: newId("C"),
        workspace: firstWorkspace(),
        private: false,
        archived: false,
        posting: "everyone",
        members: [],
        ...given,
      };
      channels.set(channel.id, channel);
      return channel;
    },

    updateChannel(channel, change) {
      const changed = { ...world.channel(channel), ...change };
      channels.set(changed.id, changed);
      return changed;
    },

    deleteChannel(channel) {
      channels.delete(world.channel(channel).id);
    },

    invite(channel, member) {
      const { members } = world.channel(channel);
      if (!members.includes(member))
        world.updateChannel(channel, { members: [...members, member] });
    },

    kick(channel, member) {
      const token = tokens.get(member) ?? world.tokens().find(({ userId }) => userId === member);
      const gone = token === undefined ? [member] : [token.token, token.userId];
      const members = world.channel(channel).members.filter((one) => !gone.includes(one));
      world.updateChannel(channel, { members });
    },

    addToken(options) {
      const given = typeof options === "string" ? { token: options } : options;
      const workspace = given.workspace ?? firstWorkspace();
      const app = given.app ?? newId("A");
      const token: FakeToken = {
        label: `token-${tokens.size + 1}`,
        scopes: DEFAULT_SCOPES,
        kind: kindOf(given.token),
        state: "active",
        appName: "Fake App",
        ...given,
        workspace,
        app,
        ...botOf(workspace, app),
      };
      tokens.set(token.token, token);
      return token;
    },

    updateToken(token, change) {
      const known = tokens.get(token);
      if (known === undefined) throw new Error("The fake Slack has no such token; add it first.");
      const changed = { ...known, ...change };
      tokens.set(token, changed);
      return changed;
    },

    channel(idOrName) {
      const name = idOrName.replace(/^#/, "");
      const found =
        channels.get(idOrName) ?? [...channels.values()].find((channel) => channel.name === name);
      if (found === undefined) throw new Error(`The fake Slack has no channel "${idOrName}".`);
      return found;
    },

    resolveChannel(workspace, idOrName) {
      const byId = channels.get(idOrName);
      if (byId?.workspace === workspace) return byId;
      const name = idOrName.replace(/^#/, "");
      return [...channels.values()].find(
        (channel) => channel.workspace === workspace && !channel.private && channel.name === name,
      );
    },

    isMember(channel, token) {
      return channel.members.includes(token.userId) || channel.members.includes(token.token);
    },

    token: (token) => tokens.get(token),
    tokens: () => [...tokens.values()],

    workspace(id) {
      const found = workspaces.get(id);
      if (found === undefined) throw new Error(`The fake Slack has no workspace "${id}".`);
      return found;
    },
  };
  return world;
}

function kindOf(token: string): FakeToken["kind"] {
  if (token.startsWith("xapp-")) return "app";
  return /^(?:xoxp-|xoxe\.xoxp-)/.test(token) ? "user" : "bot";
}
