import { Problem } from "./problems.ts";
import { jsonPointer } from "./wire.ts";

const DEEPEST = 32;

/**
 * What a JSON text says, if everyone who reads it reads the same: no member twice in an object
 * (RFC 8259 §4 leaves open which one counts), and at most 32 levels.
 *
 * @throws Problem `malformed_json` (without a word of the text, which may hold a secret),
 * `too_deep`, `duplicate_field`
 */
export function parseStrictJson(text: string): unknown {
  const value = parse(text);
  refuseAmbiguity(text);
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const [, line, column] = /\(line (\d+) column (\d+)\)$/.exec((error as Error).message) ?? [];
    const where = line === undefined ? "" : `, from line ${line}, column ${column} on`;
    throw new Problem("malformed_json", {
      detail: `The body is not valid JSON${where}. Check its quotes, commas and brackets.`,
    });
  }
}

/** An object or array that is being read, and the place in it. */
interface Level {
  readonly seen: Set<string> | null;
  at: string | number;
}

/** Reads the tokens of a text that is known to be JSON: only strings, brackets and commas matter. */
function refuseAmbiguity(text: string): void {
  const levels: Level[] = [];
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[{}[\],]/g)) {
    const level = levels.at(-1);
    if (token === "{" || token === "[") {
      if (levels.push({ seen: token === "{" ? new Set() : null, at: 0 }) > DEEPEST) {
        throw new Problem("too_deep", {
          detail: `The body is nested more than ${DEEPEST} levels deep.`,
        });
      }
    } else if (token === "}" || token === "]") {
      levels.pop();
    } else if (token === ",") {
      if (level?.seen === null) level.at = Number(level.at) + 1;
    } else if (token.endsWith(":") && level !== undefined) {
      const key: string = JSON.parse(token.slice(0, -1));
      level.at = key;
      if (level.seen?.has(key)) throw duplicate(levels.map(({ at }) => at));
      level.seen?.add(key);
    }
  }
}

const duplicate = (path: readonly (string | number)[]): Problem =>
  new Problem("duplicate_field", {
    errors: [
      {
        pointer: jsonPointer(path),
        code: "duplicate",
        detail: "is given twice. Send it once.",
      },
    ],
  });
