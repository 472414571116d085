import { closestMatch } from "leven";

/** The candidate that a typo most probably meant, or null if none is near. */
export function closest(word: string, candidates: readonly string[]): string | null {
  const maxDistance = Math.max(2, Math.floor(word.length / 4));
  return closestMatch(word, [...candidates], { maxDistance }) ?? null;
}

const LONGEST_QUOTE = 100;
const MOST_LISTED = 20;

/** What a caller gave, in quotes; only the beginning of something long. */
export function quoted(given: string): string {
  const isLong = given.length > LONGEST_QUOTE;
  return JSON.stringify(isLong ? `${given.slice(0, LONGEST_QUOTE).toWellFormed()}…` : given);
}

/** Names for an error message; only the first of many. */
export const listed = (names: readonly string[]): string =>
  names.length <= MOST_LISTED
    ? names.join(", ")
    : `${names.slice(0, MOST_LISTED).join(", ")} and ${names.length - MOST_LISTED} more`;
