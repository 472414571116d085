import type { Arrival, Remembered } from "./evidence.ts";

/** How a delivery's rows contradict each other, or what arrived. */
export function contradictions(
  delivery: Remembered,
  sent: readonly Pick<Arrival, "status">[],
): readonly string[] {
  const { attemptLog, attempts, lapses, status } = delivery;
  const accepted = attemptLog.filter(({ late }) => !late);
  const successes = accepted.filter(({ outcome }) => outcome === "delivered");
  const tokens = new Set(attemptLog.map(({ token }) => token));
  const isWrong: Readonly<Record<string, boolean>> = {
    "not ended": status === "pending",
    "delivered, but never received": status === "delivered" && !sent.some(succeeded),
    "delivered without one accepted success": successes.length !== (status === "delivered" ? 1 : 0),
    "settled after it had ended": successes.length > 0 && accepted.at(-1) !== successes[0],
    "attempts that do not add up": attempts !== accepted.filter(({ counted }) => counted).length,
    "two attempts of one flight": tokens.size !== attemptLog.length,
    "more late attempts than lapses": attemptLog.length - accepted.length > lapses,
    "more sends than attempts and lapses": sent.length > accepted.length + lapses,
  };
  return Object.keys(isWrong).filter((what) => isWrong[what]);
}

export const succeeded = ({ status }: Pick<Arrival, "status">): boolean => status === 200;
