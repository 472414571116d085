import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type Issue, issuesError } from "./errors.ts";
import type { Json } from "./event.ts";
import type { Handler } from "./handler.ts";
import type { Keyring } from "./secrets.ts";
import { MASK, type SubscriptionRecord } from "./subscription.ts";
import { validate } from "./validate.ts";

/** A configuration as its customer gave it, secrets included. */
export type PlainConfiguration = { readonly [key: string]: Json };

/** Takes a configuration apart: what is stored as it is, and what is sealed. */
export function sealConfiguration(
  handler: Handler,
  configuration: PlainConfiguration,
  place: { readonly organization: string; readonly subscriptionId: string },
  keyring: Keyring,
): Pick<SubscriptionRecord, "configuration" | "secrets"> {
  const sealed = (entry: [string, Json]): entry is [string, string] => isSecret(handler, entry[0]);
  const entries = Object.entries(configuration);
  return {
    configuration: Object.fromEntries(entries.filter((entry) => !sealed(entry))),
    secrets: Object.fromEntries(
      entries
        .filter(sealed)
        .map(([field, secret]) => [field, keyring.seal(secret, { ...place, field })]),
    ),
  };
}

/**
 * Puts a stored configuration together again.
 *
 * @throws PosthornError `missing_encryption_key`, `unreadable_secret`
 */
export function openConfiguration(
  { id, organization, configuration, secrets }: SubscriptionRecord,
  keyring: Keyring,
): PlainConfiguration {
  const opened = Object.entries(secrets).map(([field, sealed]) => [
    field,
    keyring.open(sealed, { organization, subscriptionId: id, field }),
  ]);
  return { ...configuration, ...Object.fromEntries(opened) };
}

/** A stored configuration as the outside may see it. */
export function maskConfiguration({
  configuration,
  secrets,
}: Pick<SubscriptionRecord, "configuration" | "secrets">): PlainConfiguration {
  const masked = Object.fromEntries(Object.keys(secrets).map((key) => [key, MASK]));
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
 * @throws PosthornError `invalid_configuration`, with paths below `configuration`
 */
export async function parseConfiguration<Configuration>(
  handler: Handler<string, never, Configuration> | Handler,
  configuration: PlainConfiguration,
): Promise<Configuration> {
  const schema = handler.configuration as StandardSchemaV1<unknown, Configuration>;
  const result = await validate(schema, configuration);
  if (result.issues === undefined) return result.value;
  throw issuesError(
    "invalid_configuration",
    `Invalid configuration for type "${handler.type}"`,
    result.issues.map((issue) => ({
      ...issue,
      path: ["configuration", ...issue.path],
    })),
  );
}

/** Keys that are secrets, whose values never leave. */
export const isSecret = (handler: Handler, key: string): boolean =>
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
