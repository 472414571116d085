import { closestMatch } from "leven";

/** The candidate that a typo most probably meant, or null if none is near. */
export function closest(word: string, candidates: readonly string[]): string | null {
  const written = word.replaceAll(/[^a-zA-Z]/g, "").toLowerCase();
  const same = candidates.find((candidate) => candidate.replaceAll("_", "") === written);
  const maxDistance = Math.max(2, Math.floor(word.length / 4));
  return same ?? closestMatch(word, [...candidates], { maxDistance }) ?? null;
}
