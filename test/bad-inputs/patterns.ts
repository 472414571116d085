import { seed, type World } from "../../packages/rest/test/acme.ts";
import { anything } from "./anything.ts";
import { asked, type BadInput, badInput, creating, each } from "./case.ts";

/** Patterns of event types, and texts that look like templates. */
export const patterns: readonly BadInput[] = [
  badInput("T01", "regular expressions", "422 unknown_event_type /event_types/0", (world) =>
    each(["(a+)+$", "^(\\w+\\s?)*$", "a".repeat(10_000), "project_.*", "/project/"], (pattern) =>
      creating(world, {}, { event_types: [pattern] }),
    ),
  ),
  badInput("T02", "stars without end", "422 unknown_event_type /event_types/0", (world) =>
    each(["*".repeat(200), "**", "a*a*a*a*b", "*_created", "project_*_*"], (pattern) =>
      creating(world, {}, { event_types: [pattern] }),
    ),
  ),
  badInput("T02", "the longest patterns that a body has room for", "quick", async (world) => {
    const event_types = Array.from({ length: 20 }, (_, nr) => `${"a*".repeat(5_000)}${nr}`);
    const startedAt = performance.now();
    const end = await creating(world, {}, { event_types });
    if (!end.startsWith("422 ")) return end;
    return performance.now() - startedAt < 1_000 ? "quick" : "slow";
  }),
  badInput(
    "T05",
    "expressions of template languages, in data",
    '{"a":"{{constructor.constructor(\'return process\')()}}","b":"#{7*7}","c":"<%= 7*7 %>","$where":"1"}',
    async (world, storage) => {
      const { deliver, payloads } = anything(world, storage);
      await deliver({
        a: "{{constructor.constructor('return process')()}}",
        b: "#{7*7}",
        c: "<%= 7*7 %>",
        $where: "1",
      });
      return payloads;
    },
  ),
  badInput("T07", "no event types at all", "422 invalid_webhook /event_types", (world) =>
    each([[], {}, ""], (event_types) => creating(world, {}, { event_types })),
  ),
  badInput("T07", "null for event types", "422 invalid_webhook /event_types", (world) =>
    creating(world, {}, { event_types: null }),
  ),
  badInput(
    "T08",
    "event types in another case or form",
    "422 unknown_event_type /event_types/0",
    (world) =>
      each(
        [
          "PROJECT_CREATED",
          "Project_*",
          "pro\u0308ject_created",
          "pr\u006f\u200bject_created",
          "project_created ",
        ],
        (type) => creating(world, {}, { event_types: [type] }),
      ),
  ),
];

const another = (world: World, configuration: object): Promise<string> =>
  asked(world, "POST", "/webhooks/", {
    body: { ...seed, configuration: { ...seed.configuration, ...configuration } },
  });

/** What would have a handler call elsewhere; what happens on the wire is in the handler's own tests. */
export const elsewhere: readonly BadInput[] = [
  badInput(
    "N18",
    "a socket of the machine, as a URL",
    "422 invalid_configuration /configuration/url",
    (world) =>
      each(
        [
          "unix:/var/run/docker.sock",
          "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
          "file:///var/run/x",
        ],
        (url) => creating(world, { url }),
      ),
  ),
  ...["socketPath", "socket_path", "proxy", "proxyUrl", "dispatcher", "lookup", "insecure"].map(
    (key) =>
      badInput(
        "N18",
        `the option ${key}`,
        `422 invalid_configuration /configuration/${key}`,
        (world) => creating(world, { [key]: "/var/run/docker.sock" }),
      ),
  ),
  ...["apiUrl", "slackApiUrl", "base_url", "baseUrl", "url", "response_url", "webhook_url"].map(
    (key) =>
      badInput(
        "N19",
        `Slack's ${key}`,
        `422 invalid_configuration /configuration/${key}`,
        (world) => another(world, { [key]: "http://169.254.169.254/" }),
      ),
  ),
];
