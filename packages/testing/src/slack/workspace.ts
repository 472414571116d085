/** A team: channels and tokens belong to exactly one. */
export interface FakeWorkspace {
  readonly id: string;
  readonly name: string;
  /** The first label of `https://<domain>.slack.com/`. */
  readonly domain: string;
  /**
   * What has become of it: it moves to an Enterprise organization, its keys are withheld by its
   * administrators (EKM), or the network is not among those that may reach it.
   */
  readonly state: "active" | "migrating" | "ekm_locked" | "network_limited";
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
  /** The person whose direct messages these are; null for every other channel. */
  readonly user: string | null;
  /** Who may post what. */
  readonly posting:
    | "everyone"
    | "restricted"
    | "read_only"
    | "thread_only"
    | "non_threadable"
    | "thread_locked"
    | "limited_access"
    | "connect_blocked"
    | "messages_tab_disabled";
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
  readonly kind: "bot" | "user" | "app" | "config" | "refresh" | "session" | "legacy";
  readonly state:
    | "active"
    | "revoked"
    | "expired"
    | "inactive"
    | "ip_blocked"
    | "two_factor"
    | "not_granted"
    | "app_restricted"
    | "login_required";
  /** Installed for a whole Enterprise organization: it knows channels by their ids only. */
  readonly orgWide: boolean;
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
export type WorkspaceChange = Partial<Pick<FakeWorkspace, "state">>;

/** Everything a fake Slack knows about who and where; no clock, no I/O. */
export interface World {
  addWorkspace(options?: WorkspaceOptions): FakeWorkspace;
  updateWorkspace(id: string, change: WorkspaceChange): FakeWorkspace;
  addChannel(options: ChannelOptions | string): FakeChannel;
  updateChannel(channel: string, change: ChannelChange): FakeChannel;
  deleteChannel(channel: string): void;
  invite(channel: string, member: string): void;
  kick(channel: string, member: string): void;
  addToken(options: TokenOptions | string): FakeToken;
  updateToken(token: string, change: TokenChange): FakeToken;
  /** Another token takes its place: the old one has expired. */
  rotateToken(token: string, next: string): FakeToken;
  /** The token's app is removed from its workspace: none of its tokens there is worth anything. */
  uninstall(token: string): void;

  /** The channel with this id or name (`#` allowed), for the test's side of the fake. */
  channel(idOrName: string): FakeChannel;
  /**
   * The channel that Slack would find for an API call: by id, by the id of the person whose direct
   * messages it holds, or by name if it is public.
   */
  resolveChannel(workspace: string, idOrName: string): FakeChannel | undefined;
  /** A private channel with this name that the token's user is in. */
  privateByName(token: FakeToken, name: string): FakeChannel | undefined;
  channelsOf(workspace: string): readonly FakeChannel[];
  isMember(channel: FakeChannel, token: FakeToken): boolean;
  token(token: string): FakeToken | undefined;
  tokens(): readonly FakeToken[];
  workspace(id: string): FakeWorkspace;
  workspaces(): readonly FakeWorkspace[];
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
      const workspace: FakeWorkspace = { id, name, domain, state: options.state ?? "active" };
      workspaces.set(id, workspace);
      return workspace;
    },

    updateWorkspace(id, change) {
      const changed = { ...world.workspace(id), ...change };
      workspaces.set(id, changed);
      return changed;
    },

    addChannel(options) {
      const given = typeof options === "string" ? { name: options } : options;
      const channel: FakeChannel = {
        id: newId(given.user == null ? "C" : "D"),
        workspace: firstWorkspace(),
        private: given.user != null,
        archived: false,
        user: null,
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
        orgWide: false,
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

    rotateToken(token, next) {
      const old = world.updateToken(token, { state: "expired" });
      const rotated: FakeToken = { ...old, token: next, label: `${old.label}'`, state: "active" };
      tokens.set(next, rotated);
      return rotated;
    },

    uninstall(token) {
      const { workspace, app } = world.updateToken(token, { state: "revoked" });
      for (const each of tokens.values()) {
        if (each.workspace !== workspace || each.app !== app) continue;
        world.updateToken(each.token, { state: "revoked" });
      }
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
      const here = world.channelsOf(workspace);
      return (
        here.find(({ user }) => user === idOrName) ??
        here.find((channel) => !channel.private && channel.name === name)
      );
    },

    privateByName: (token, name) =>
      world
        .channelsOf(token.workspace)
        .find(
          (channel) =>
            channel.private &&
            channel.name === name.replace(/^#/, "") &&
            world.isMember(channel, token),
        ),

    channelsOf: (workspace) =>
      [...channels.values()].filter((channel) => channel.workspace === workspace),

    isMember({ members, user }, token) {
      return user !== null || members.includes(token.userId) || members.includes(token.token);
    },

    workspaces: () => [...workspaces.values()],
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
  if (token.startsWith("xoxe.xoxp-")) return "config";
  if (token.startsWith("xoxe-")) return "refresh";
  if (/^xox[cds]-/.test(token)) return "session";
  return token.startsWith("xoxp-") ? "user" : "bot";
}
