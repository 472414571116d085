import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type Issue, issuesError } from "./errors.ts";
import type { Json } from "./event.ts";
import type { Handler } from "./handler.ts";
import { redact } from "./redact.ts";
import type { Keyring } from "./secrets.ts";
import { MASK, type SubscriptionRecord } from "./subscription.ts";
import { validate } from "./validate.ts";

/** A configuration as its customer gave it, secrets included. */
export type PlainConfiguration = { readonly [key: string]: Json };

/** A generated secret that was rotated out, and stays live for a while. */
export interface PreviousSecret {
  readonly secret: string;
  /** Epoch milliseconds. */
  readonly liveUntil: number;
}

/**
 * Takes a configuration apart: what is stored as it is, and what is sealed. Previous secrets are
 * sealed under the key of the generated one and the instant until which they live.
 */
export function sealConfiguration(
  handler: Handler,
  configuration: PlainConfiguration,
  place: { readonly organization: string; readonly subscriptionId: string },
  keyring: Keyring,
  previous: readonly PreviousSecret[] = [],
): Pick<SubscriptionRecord, "configuration" | "secrets"> {
  const sealed = (entry: [string, Json]): entry is [string, string] => isSecret(handler, entry[0]);
  const entries = Object.entries(configuration);
  const rotatedOut = previous.map(({ secret, liveUntil }): [string, string] => [
    `${handler.generates?.key}${UNTIL}${liveUntil}`,
    secret,
  ]);
  return {
    configuration: Object.fromEntries(entries.filter((entry) => !sealed(entry))),
    secrets: Object.fromEntries(
      [...entries.filter(sealed), ...rotatedOut].map(([field, secret]) => [
        field,
        keyring.seal(secret, { ...place, field }),
      ]),
    ),
  };
}

/** Stands in no key of a configuration that is a secret: bus options refuse it. */
const UNTIL = ":";

const isPrevious = (field: string): boolean => field.includes(UNTIL);

/**
 * Puts a stored configuration together again.
 *
 * @throws PosthornError `missing_encryption_key`, `unreadable_secret`
 */
export function openConfiguration(
  { id, organization, configuration, secrets }: SubscriptionRecord,
  keyring: Keyring,
): PlainConfiguration {
  const opened = Object.entries(secrets)
    .filter(([field]) => !isPrevious(field))
    .map(([field, sealed]) => [
      field,
      keyring.open(sealed, { organization, subscriptionId: id, field }),
    ]);
  return { ...configuration, ...Object.fromEntries(opened) };
}

/**
 * The previous secrets that are live at `now`, the newest first.
 *
 * @throws PosthornError `missing_encryption_key`, `unreadable_secret`
 */
export function openPrevious(
  { id, organization, secrets }: SubscriptionRecord,
  keyring: Keyring,
  now: number,
): readonly PreviousSecret[] {
  return Object.entries(secrets)
    .filter(([field]) => isPrevious(field))
    .map(([field, sealed]) => ({ field, sealed, liveUntil: Number(field.split(UNTIL)[1]) }))
    .filter(({ liveUntil }) => liveUntil > now)
    .toSorted((a, b) => b.liveUntil - a.liveUntil)
    .map(({ field, sealed, liveUntil }) => ({
      secret: keyring.open(sealed, { organization, subscriptionId: id, field }),
      liveUntil,
    }));
}

/** A stored configuration as the outside may see it. */
export function maskConfiguration({
  configuration,
  secrets,
}: Pick<SubscriptionRecord, "configuration" | "secrets">): PlainConfiguration {
  const keys = Object.keys(secrets).filter((field) => !isPrevious(field));
  const masked = Object.fromEntries(keys.map((key) => [key, MASK]));
  return { ...configuration, ...masked };
}

/**
 * The stored configuration with a customer's changes: merged key by key, or replaced but for
 * secrets that are absent. A mask that is sent back means the stored secret.
 */
export function changeConfiguration(
  handler: Handler,
  stored: PlainConfiguration,
  changes: PlainConfiguration,
  replace: boolean,
): PlainConfiguration {
  const kept = Object.entries(stored).filter(([key]) => !replace || isSecret(handler, key));
  const changed = Object.entries(changes).filter(
    ([key, value]) => value !== undefined && !(isSecret(handler, key) && value === MASK),
  );
  return Object.fromEntries([...kept, ...changed]);
}

/**
 * What a handler's schema makes of a configuration.
 *
 * @throws PosthornError `invalid_configuration`, with paths below `configuration`. Schemas quote
 * what they refuse; secrets in it are masked.
 */
export async function parseConfiguration(
  handler: Handler,
  configuration: PlainConfiguration,
): Promise<unknown> {
  const schema: StandardSchemaV1<unknown, unknown> = handler.configuration;
  const result = await validate(schema, configuration);
  if (result.issues === undefined) return result.value;
  const secrets = secretTexts(handler, configuration);
  throw issuesError(
    "invalid_configuration",
    `Invalid configuration for type "${handler.type}"`,
    result.issues.map((issue) => ({
      ...issue,
      path: ["configuration", ...issue.path],
      message: isSecret(handler, String(issue.path[0]))
        ? maskQuotes(issue.message, secrets)
        : redact(issue.message, secrets),
    })),
  );
}

/**
 * The secrets of a configuration as they may turn up in texts: as they were given, without blanks
 * around them, and as the schema's output has them.
 */
export function secretTexts(
  handler: Handler,
  ...configurations: readonly unknown[]
): readonly string[] {
  const texts = configurations.flatMap((configuration) =>
    Object.entries(configuration ?? {})
      .filter(([key, value]) => isSecret(handler, key) && /^(string|number)$/.test(typeof value))
      .map(([, value]) => String(value))
      .flatMap((secret) => [secret, secret.trim(), JSON.stringify(secret).slice(1, -1)]),
  );
  return [...new Set(texts)].filter((text) => text !== "").toSorted((a, b) => b.length - a.length);
}

/** A message about a secret, without the secret and without the parts of it that it quotes. */
function maskQuotes(message: string, secrets: readonly string[]): string {
  const masked = secrets.reduce((text, secret) => text.replaceAll(secret, MASK), message);
  return masked.replaceAll(/(["'`])(.+?)\1/g, (whole, mark: string, quote: string) =>
    secrets.some((secret) => secret.includes(quote)) ? `${mark}${MASK}${mark}` : whole,
  );
}

/** Keys that are secrets, whose values never leave. */
const isSecret = (handler: Handler, key: string): boolean =>
  (handler.secrets as readonly string[] | undefined)?.includes(key) ?? false;

/**
 * @throws PosthornError `invalid_configuration` for a secret that cannot be sealed: one that is no
 * text, or the mask, where there is nothing stored that it could stand for.
 */
export function refuseUnsealable(handler: Handler, configuration: PlainConfiguration): void {
  const issues = Object.entries(configuration).flatMap(([key, value]): readonly Issue[] => {
    const message = isSecret(handler, key) ? unsealable(value) : null;
    return message === null ? [] : [{ path: ["configuration", key], code: "invalid", message }];
  });
  if (issues.length === 0) return;
  throw issuesError(
    "invalid_configuration",
    `Invalid configuration for type "${handler.type}"`,
    issues,
  );
}

function unsealable(value: Json): string | null {
  if (value === MASK) {
    return "is the mask that stands for a stored secret, and none is stored yet. Send the secret itself";
  }
  if (typeof value !== "string") return "is a secret, and must be a string";
  return value.isWellFormed() ? null : "must not contain lone surrogates";
}
