import type { Issue } from "./errors.ts";

const MAX_DEPTH = 64;

/** A value that JSON cannot carry unchanged, and where it was found. */
export class NotJson extends Error {
  override readonly name = "NotJson";
  readonly issue: Issue;

  constructor(path: Issue["path"], message: string, code: Issue["code"] = "invalid") {
    super(path.length === 0 ? message : `${path.join(".")}: ${message}`);
    this.issue = { path: [...path], message, code };
  }
}

/**
 * The value as JSON text. Each member is read once, so that what was checked is what is written;
 * members that are undefined are left out, as JSON has it.
 *
 * @throws NotJson for anything else that `JSON.stringify` would change or drop in silence:
 * undefined in arrays, NaN, Infinity, bigint, functions, symbols, dates, maps, class instances,
 * accessors that throw; for nesting beyond 64 levels, circles included; and, as soon as it is
 * certain, for more than `mostCharacters`.
 */
export function writeJson(
  value: unknown,
  mostCharacters: number = Number.POSITIVE_INFINITY,
): string {
  const path: (string | number)[] = [];
  let left = mostCharacters;

  function spend(text: string): string {
    left -= text.length;
    if (left < 0) throw new NotJson([], `is more than ${mostCharacters} characters`, "too_large");
    return text;
  }

  function write(member: unknown): string {
    switch (typeof member) {
      case "string":
        if (member.length > left) spend(member);
        return spend(JSON.stringify(member));
      case "boolean":
        return spend(member ? "true" : "false");
      case "number":
        if (!Number.isFinite(member)) throw new NotJson(path, `${member} is not JSON`);
        return spend(JSON.stringify(member));
      case "object":
        if (member === null) return spend("null");
        if (path.length >= MAX_DEPTH) {
          throw new NotJson(path, `nested deeper than ${MAX_DEPTH} levels, or circular`);
        }
        return Array.isArray(member) ? writeArray(member) : writeObject(member);
      default:
        throw new NotJson(path, `a value of type ${typeof member} is not JSON`);
    }
  }

  function writeArray(array: readonly unknown[]): string {
    requirePlain(array, 2, path);
    let text = spend("[");
    for (let index = 0; index < array.length; index += 1) {
      path.push(index);
      text += (index === 0 ? "" : spend(",")) + write(array[index]);
      path.pop();
    }
    return text + spend("]");
  }

  function writeObject(object: object): string {
    requirePlain(object, 1, path);
    let text = "";
    for (const key of Object.keys(object)) {
      path.push(key);
      const member: unknown = object[key as never];
      if (member !== undefined) {
        text += (text === "" ? "" : spend(",")) + spend(`${JSON.stringify(key)}:`) + write(member);
      }
      path.pop();
    }
    return spend("{") + text + spend("}");
  }

  try {
    return write(value);
  } catch (error) {
    throw error instanceof NotJson ? error : new NotJson(path, "cannot be read");
  }
}

/** What keeps a value from being JSON, or null. */
export function notJson(value: unknown, place: Issue["path"]): Issue | null {
  try {
    writeJson(value);
    return null;
  } catch (error) {
    const { issue } = error as NotJson;
    return { ...issue, path: [...place, ...issue.path] };
  }
}

/**
 * Plain objects have at most one prototype above them, plain arrays two: so they are told from
 * class instances in whatever realm they were made.
 */
function requirePlain(value: object, mostPrototypes: number, path: Issue["path"]): void {
  let depth = 0;
  for (
    let above = Object.getPrototypeOf(value);
    above !== null;
    above = Object.getPrototypeOf(above)
  ) {
    depth += 1;
  }
  if (depth > mostPrototypes) {
    const name = value.constructor?.name ?? "foreign object";
    throw new NotJson(path, `a ${name} is not JSON; convert it to a plain value first`);
  }
  if (Object.getOwnPropertySymbols(value).length > 0) {
    throw new NotJson(path, "an object with symbols for keys is not JSON");
  }
}
