import { MASK } from "@posthorn/core";
import type { HttpConfiguration } from "./configuration.ts";

/** Shorter texts would mask ordinary words. */
const SHORTEST = 6;

/**
 * What a receiver may repeat in its answer and nobody may read there: secrets and credentials as a
 * whole, and the parts of them that stand alone elsewhere.
 */
export function credentialsOf(
  { authorization, secret_headers }: Pick<HttpConfiguration, "authorization" | "secret_headers">,
  secrets: readonly string[],
): readonly string[] {
  const [, scheme, credentials = ""] = /^(\S+) (.*)$/.exec(authorization ?? "") ?? [];
  const login = scheme === "Basic" ? Buffer.from(credentials, "base64").toString("utf8") : "";
  return [
    ...secrets,
    ...secrets.map((secret) => secret.slice(secret.indexOf("_") + 1)),
    ...(authorization === null ? [] : [authorization]),
    credentials,
    login,
    login.slice(login.indexOf(":") + 1),
    ...Object.values(secret_headers),
  ];
}

/** The text with every credential in it masked, also as JSON, PHP's JSON and URLs write it. */
export function masked(text: string, credentials: readonly string[]): string {
  return credentials
    .filter((credential) => credential.length >= SHORTEST)
    .flatMap((credential) => {
      const json = JSON.stringify(credential).slice(1, -1);
      return [credential, json, json.replaceAll("/", "\\/"), encodeURIComponent(credential)];
    })
    .toSorted((a, b) => b.length - a.length)
    .reduce((shown, form) => shown.replaceAll(form, MASK), text);
}
