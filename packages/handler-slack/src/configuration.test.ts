import { safeParse } from "valibot";
import { describe, expect, it } from "vitest";
import { configuration } from "./configuration.ts";

const good = { token: "xoxb-1-2-abc", channel: "#releases", username: "CloudTruth" };
const complaints = (input: unknown): readonly string[] =>
  (safeParse(configuration, input).issues ?? []).map(
    ({ path, message }) => `${path?.map(({ key }) => key).join(".") ?? ""}: ${message}`,
  );

describe("a configuration", () => {
  it.each<[string, object]>([
    ["as the documentation shows it", { token: "string", channel: "string", username: "string" }],
    ["a rotating token", { token: "xoxe.xoxb-1-abc" }],
    ["a token of a kind that Slack has yet to invent", { token: "xoxz-new" }],
    ["a channel's id", { channel: "C0123456789" }],
    ["a channel without #", { channel: "releases" }],
    ["a channel in any script", { channel: "#お知らせ" }],
    ["a username in any script, with emoji", { username: "お知らせ 🎺" }],
    ["a username of 80 characters", { username: "x".repeat(80) }],
  ])("may be %s", (_, change) => expect(complaints({ ...good, ...change })).toEqual([]));

  it.each<[string, object, string]>([
    ["no token", { token: undefined }, "token: The token must be a string"],
    ["an empty token", { token: "" }, "token: The token is empty"],
    ["a token with its scheme", { token: "Bearer xoxb-1" }, "token: The token contains a space"],
    ["a token with a line break", { token: "xoxb-1\n" }, "token: The token contains a space"],
    ["a token with typographic dashes", { token: "xoxb–1" }, "token: The token contains"],
    ["an app-level token", { token: "xapp-1" }, "token: This is an app-level token"],
    ["a refresh token", { token: "xoxe-1-abc" }, "token: This is a refresh token"],
    ["a session's token", { token: "xoxc-1" }, "token: This is the token of a browser session"],
    ["a person", { channel: "@ana" }, "channel: This is a person"],
    ["a link", { channel: "https://acme.slack.com/archives/C1" }, "channel: This is a link"],
    ["a channel with a space", { channel: "#my channel" }, "channel: This is neither"],
    ["an empty channel", { channel: "#" }, "channel: The channel is empty"],
    ["a long channel", { channel: "x".repeat(81) }, "channel: This is neither"],
    ["an empty username", { username: " " }, "username: The username is empty"],
    ["a long username", { username: "x".repeat(81) }, "username: The username is longer"],
    ["a username on two lines", { username: "a\nb" }, "username: The username contains a line"],
    ["a number", { username: 5 }, "username: The username must be a string"],
    ["an unknown key", { icon: "x" }, 'icon: Unknown key "icon"'],
  ])("may not have %s", (_, change, complaint) => {
    expect(complaints({ ...good, ...change })).toEqual([expect.stringContaining(complaint)]);
  });

  it("needs all three keys", () => {
    expect(complaints({})).toEqual([
      'token: "token" is missing. Slack needs token, channel and username.',
      'channel: "channel" is missing. Slack needs token, channel and username.',
      'username: "username" is missing. Slack needs token, channel and username.',
    ]);
  });

  it("is an object", () => {
    expect(complaints("xoxb-1")).toEqual([": Give an object with token, channel and username."]);
  });

  it("is refused without repeating a token", () => {
    const token = "xapp-1-secret secret";
    expect(complaints({ ...good, token }).join()).not.toContain("secret");
  });
});
