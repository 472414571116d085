import { PosthornError } from "@posthorn/core";
import { kindOf } from "../transaction/kind.ts";

/** What a host gave as its database, and what to give. Never its content, which has passwords. */
export const wrongDriver = (given: unknown, pass: string): PosthornError =>
  new PosthornError(
    "invalid_options",
    `Posthorn cannot work with ${described(given)}. Pass ${pass}.`,
  );

function described(given: unknown): string {
  if (given === null || given === undefined) return String(given);
  if (typeof given !== "object" && typeof given !== "function") return `a ${typeof given}`;
  if ("batch" in given && "getConnection" in given) return "a pool of the mariadb package";
  const [known] = kindOf(given)?.name.split(",") ?? [];
  const name = given.constructor?.name ?? "Object";
  return known ?? (name === "Object" ? "an object of an unknown kind" : `a ${name}`);
}
