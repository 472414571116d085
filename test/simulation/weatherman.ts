import { type Chance, chance } from "../crash/chance.ts";
import type { Plan, Rated, Spell } from "./plan.ts";

/** Says what goes wrong now. Each kind of fault has chances of its own: fewer kinds change no other. */
export interface Weatherman {
  /** Does it strike this call? */
  strikes(fault: Rated): boolean;
  /** What a request to a destination meets; null for nothing. */
  spell(destination: number, now: number): Spell | null;
  /** From now on all is well. */
  clear(): void;
}

export function createWeatherman(plan: Plan, startsAt: number): Weatherman {
  const dice = new Map<string, Chance>();
  const diceOf = (name: string): Chance => {
    const known = dice.get(name) ?? chance(seedOf(plan.seed, name));
    dice.set(name, known);
    return known;
  };
  let isClear = false;
  return {
    strikes: (fault) => diceOf(fault).next() < plan.rates[fault] && !isClear,
    spell: (destination, now) => {
      const at = now - startsAt;
      const met = plan.weather.find(
        (spell) =>
          spell.destination === destination &&
          spell.from <= at &&
          at < spell.until &&
          diceOf(spell.fault).next() < spell.share,
      );
      return isClear ? null : (met ?? null);
    },
    clear: () => {
      isClear = true;
    },
  };
}

/** FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), so that each name has numbers of its own. */
export function seedOf(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let index = 0; index < name.length; index += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  }
  return hash;
}
