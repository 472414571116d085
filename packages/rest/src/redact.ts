import { type Handler, MASK } from "@posthorn/core";
import type { Body } from "./body.ts";
import { Problem, type ProblemError } from "./problems.ts";

/** A secret shorter than this is not searched for: it would mask ordinary words. */
const SHORTEST_SECRET = 4;

/** The secrets that a body brings, to be kept out of answers and logs. */
export function secretsIn(
  { configuration }: Body,
  handlers: readonly Handler[],
): readonly string[] {
  if (typeof configuration !== "object" || configuration === null) return [];
  const keys = secretKeys(handlers);
  return Object.entries(configuration).flatMap(([key, value]) =>
    keys.includes(key) && typeof value === "string" && value.length >= SHORTEST_SECRET
      ? [value]
      : [],
  );
}

/** The text with every secret in it, plain or as JSON writes it, replaced by the mask. */
export const redact = (text: string, secrets: readonly string[]): string =>
  secrets.reduce(
    (shown, secret) =>
      shown.replaceAll(secret, MASK).replaceAll(JSON.stringify(secret).slice(1, -1), MASK),
    text,
  );

/**
 * The problem without secrets. Schema libraries quote what they refuse, some only the part that
 * they looked at (valibot: `Expected "a-" but received "b-"`), so of an error at a secret only what
 * stands before the quotation is kept.
 */
export function redactProblem(
  problem: Problem,
  secrets: readonly string[],
  handlers: readonly Handler[],
): Problem {
  const places = secretKeys(handlers).map((key) => `/configuration/${key}`);
  const clean = (error: ProblemError): ProblemError => {
    const quoting = error.pointer !== undefined && places.includes(error.pointer);
    const detail = quoting ? error.detail.replace(/ but received .*$/s, "") : error.detail;
    return { ...error, detail: redact(detail, secrets) };
  };
  const { code, errors, headers } = problem;
  return errors.length === 0 ? problem : new Problem(code, { errors: errors.map(clean), headers });
}

const secretKeys = (handlers: readonly Handler[]): readonly string[] =>
  handlers.flatMap(({ secrets = [] }) => secrets as readonly string[]);
