import type { Handler } from "@posthorn/core";
import * as v from "valibot";
import type { Guard, UrlProblem } from "./guard.ts";
import { type HeaderProblem, headerProblems, parseHeaderLines, trimmed } from "./headers.ts";
import { SECRET_RULE, type SignatureVersion, signingKey } from "./keys.ts";

/** How an event is written. */
export type Format = "standard" | "cloudevents" | "cloudevents_binary";

/** What a customer configures. */
export interface HttpConfigurationInput {
  /** Where to: an https URL of a public host. */
  readonly url: string;
  /** What signs. Generated unless it is given. */
  readonly secret?: string | undefined;
  /** Which kind of secret is generated: `v1` is HMAC-SHA256, `v1a` ed25519. Default `v1`. */
  readonly signature?: SignatureVersion | undefined;
  /** Default `standard`: `{ type, timestamp, data }`. */
  readonly format?: Format | undefined;
  /** Sent along with every event, and shown to all who may see the webhook. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The Authorization header: `Bearer …` or `Basic …`. */
  readonly authorization?: string | undefined;
  /** Headers that are stored sealed and never shown: `X-Api-Key: …`, one in each line. */
  readonly secret_headers?: string | undefined;
}

/** The configuration with all defaults. */
export interface HttpConfiguration {
  /** Normalised. */
  readonly url: string;
  readonly secret: string | null;
  readonly format: Format;
  readonly headers: Readonly<Record<string, string>>;
  readonly authorization: string | null;
  readonly secret_headers: Readonly<Record<string, string>>;
}

const FORMATS = ["standard", "cloudevents", "cloudevents_binary"] as const;
const VERSIONS = ["v1", "v1a"] as const;
const KEYS = "url, secret, signature, format, headers, authorization, secret_headers";
const AUTHORIZATION =
  "^(?:Bearer [A-Za-z0-9._~+/=-]+|Basic (?:[A-Za-z0-9+/]{4})*[A-Za-z0-9+/=]{4})$";

const HEADER_LINES =
  "The secret headers must be a string: lines of a header's name, a colon and its value.";
const LONGEST_AUTHORIZATION = 4_096;
const LONGEST_HEADER_LINES = 10_000;

const shape = v.strictObject(
  {
    url: v.string("The URL must be a string."),
    secret: v.optional(v.string("The secret must be a string.")),
    signature: v.optional(v.picklist(VERSIONS, `Must be one of ${VERSIONS.join(", ")}.`)),
    format: v.optional(v.picklist(FORMATS, `Must be one of ${FORMATS.join(", ")}.`)),
    headers: v.optional(
      v.custom<Readonly<Record<string, string>>>(
        (value) => typeof value === "object" && value !== null && !Array.isArray(value),
        "The headers must be an object of names and values.",
      ),
    ),
    authorization: v.optional(v.string("The authorization must be a string.")),
    secret_headers: v.optional(v.string(HEADER_LINES)),
  },
  ({ expected, received }) => {
    if (expected === "never") return `Unknown key ${received}. Keys: ${KEYS}.`;
    if (expected === "Object") return "Give an object with a url.";
    return `${expected} is missing. A webhook needs a url.`;
  },
);

/** The same in JSON Schema; what it cannot say is checked when a webhook is saved. */
const jsonSchema = {
  type: "object",
  properties: {
    url: {
      type: "string",
      format: "uri",
      maxLength: 2_048,
      title: "URL",
      description: "Where events are posted: an https URL of a public host.",
      examples: ["https://hooks.example.com/events"],
    },
    secret: {
      type: "string",
      pattern: "^(?:whsec_|whsk_)[A-Za-z0-9+/]+={0,2}$",
      title: "Secret",
      description: "What signs. Leave it out to have one generated.",
      writeOnly: true,
    },
    signature: {
      type: "string",
      enum: VERSIONS,
      default: "v1",
      title: "Signature",
      description: "The kind of secret that is generated: v1 is HMAC-SHA256, v1a is ed25519.",
    },
    format: {
      type: "string",
      enum: FORMATS,
      default: "standard",
      title: "Format",
      description: "How an event is written: Standard Webhooks' envelope, or CloudEvents 1.0.",
    },
    headers: {
      type: "object",
      additionalProperties: { type: "string" },
      maxProperties: 20,
      title: "Headers",
      description:
        "Sent along with every event. They are shown: what others must not see is for secret_headers.",
    },
    authorization: {
      type: "string",
      pattern: AUTHORIZATION,
      maxLength: LONGEST_AUTHORIZATION,
      title: "Authorization",
      description:
        "The Authorization header: Bearer and a token, or Basic and credentials in base64.",
      writeOnly: true,
    },
    secret_headers: {
      type: "string",
      maxLength: LONGEST_HEADER_LINES,
      title: "Secret headers",
      description:
        "Headers that are stored sealed and never shown: a name, a colon and a value in each line.",
      examples: ["X-Api-Key: the-key"],
      writeOnly: true,
    },
  },
  required: ["url"],
  additionalProperties: false,
} as const;

type Schema = Handler<"http", HttpConfigurationInput, HttpConfiguration>["configuration"];

/** A schema that also says itself in JSON Schema (https://standardschema.dev/json-schema). */
export type ConfigurationSchema = Schema & {
  readonly "~standard": { readonly jsonSchema: { input(): object; output(): object } };
};

/** The schema of {@link HttpConfigurationInput}: these keys, no others, and a URL that goes out. */
export const configurationSchema = (guard: Guard): ConfigurationSchema => ({
  "~standard": {
    version: 1,
    vendor: "posthorn",
    jsonSchema: { input: () => jsonSchema, output: () => jsonSchema },
    validate: (value) => {
      const parsed = v.safeParse(shape, value);
      if (!parsed.success) {
        return {
          issues: parsed.issues.map(({ message, path }) => ({
            message,
            path: path?.map(({ key }) => key as string) ?? [],
          })),
        };
      }
      const { secret, format = "standard", headers = {}, authorization } = parsed.output;
      const { secret_headers: secretHeaders = "" } = parsed.output;
      const checked = guard.checkUrl(parsed.output.url);
      const issues: { readonly path: readonly string[]; readonly message: string }[] = [];
      if ("problem" in checked) issues.push({ path: ["url"], message: explain(checked.problem) });
      if (secret !== undefined && signingKey(secret) === null) {
        issues.push({ path: ["secret"], message: SECRET_RULE });
      }
      const lines =
        secretHeaders.length > LONGEST_HEADER_LINES ? null : parseHeaderLines(secretHeaders);
      if (lines === null) issues.push({ path: ["secret_headers"], message: HEADER_LINES });
      const wrong = headerProblems(Object.entries(headers), lines ?? []);
      for (const { name, message } of wrong.shown) {
        const path = name === null ? ["headers"] : ["headers", name.slice(0, LONGEST_SHOWN)];
        issues.push({ path, message: `${message}.` });
      }
      for (const problem of wrong.secret) {
        issues.push({ path: ["secret_headers"], message: `${named(problem)}.` });
      }
      if (authorization !== undefined && !isAuthorization(authorization)) {
        issues.push({ path: ["authorization"], message: AUTHORIZATION_RULE });
      }
      if ("problem" in checked || issues.length > 0) return { issues };
      return {
        value: {
          url: checked.url.href,
          secret: secret ?? null,
          format,
          headers: trimmed(Object.entries(headers)),
          authorization: authorization ?? null,
          secret_headers: trimmed(lines ?? []),
        },
      };
    },
  },
});

const LONGEST_SHOWN = 64;

/** A name that has no name's form may be part of a value. */
const named = ({ name, message }: HeaderProblem): string =>
  name === null ? message : `A header ${message}`;

const isAuthorization = (text: string): boolean =>
  text.length <= LONGEST_AUTHORIZATION && new RegExp(AUTHORIZATION).test(text);

const AUTHORIZATION_RULE =
  "The authorization must be `Bearer` and a token, or `Basic` and user:password in base64.";

const problems: Readonly<Record<UrlProblem, string>> = {
  too_long: "The URL is longer than 2,048 characters.",
  forbidden_character: "The URL contains a space, a control character or a backslash.",
  unparseable: "This is no URL. Give a whole one, such as https://hooks.example.com/events.",
  scheme: "The URL must begin with https://.",
  authority: "The URL must have a host name right after https://.",
  userinfo: "The URL contains a user name. Give credentials as `authorization`.",
  fragment: "The URL contains a #, which is never sent. Leave out what follows it.",
  port: "The URL has a port that is not allowed. Leave it out to use the standard port.",
  literal_address: "The URL has an address in place of a name. Give the host's name.",
  address: "The URL's address is not one of the public internet.",
  single_label: "The URL's host is not a full name. Give one such as hooks.example.com.",
  special_name: "The URL's host is not a name of the public internet.",
  host_name: "The URL's host is not a valid name.",
  denied: "The URL's host is not allowed.",
};

/** What is wrong with a URL, for the customer. */
export const explain = (problem: UrlProblem): string => problems[problem];
