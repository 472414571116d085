import type { Issue } from "./errors.ts";

const MAX_DEPTH = 64;

/** A value that JSON cannot carry unchanged, and where it was found. */
export class NotJson extends Error {
  override readonly name = "NotJson";
  readonly issue: Issue;

  constructor(path: Issue["path"], message: string) {
    super(path.length === 0 ? message : `${path.join(".")}: ${message}`);
    this.issue = { path, message, code: "invalid" };
  }
}

/**
 * The value as JSON text. Each member is read once, so that what was checked is what is written;
 * members that are undefined are left out, as JSON has it.
 *
 * @throws NotJson for anything else that `JSON.stringify` would change or drop in silence:
 * undefined in arrays, NaN, Infinity, bigint, functions, symbols, dates, maps, class instances,
 * accessors that throw; and for nesting beyond 64 levels, circles included.
 */
export function writeJson(value: unknown): string {
  const path: (string | number)[] = [];
  try {
    return write(value, path);
  } catch (error) {
    if (error instanceof NotJson) throw error;
    throw new NotJson(path, "cannot be read");
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

function write(value: unknown, path: (string | number)[]): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "boolean":
      return value ? "true" : "false";
    case "number":
      if (!Number.isFinite(value)) throw new NotJson([...path], `${value} is not JSON`);
      return JSON.stringify(value);
    case "object":
      if (value === null) return "null";
      if (path.length >= MAX_DEPTH) {
        throw new NotJson([...path], `nested deeper than ${MAX_DEPTH} levels, or circular`);
      }
      return Array.isArray(value) ? writeArray(value, path) : writeObject(value, path);
    default:
      throw new NotJson([...path], `a value of type ${typeof value} is not JSON`);
  }
}

function writeArray(array: readonly unknown[], path: (string | number)[]): string {
  requirePlain(array, Array.prototype, path);
  let text = "[";
  for (let index = 0; index < array.length; index += 1) {
    path.push(index);
    text += (index === 0 ? "" : ",") + write(array[index], path);
    path.pop();
  }
  return `${text}]`;
}

function writeObject(object: object, path: (string | number)[]): string {
  requirePlain(object, Object.prototype, path);
  let text = "";
  for (const key of Object.keys(object)) {
    path.push(key);
    const member: unknown = object[key as never];
    if (member !== undefined) {
      text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${write(member, path)}`;
    }
    path.pop();
  }
  return `{${text}}`;
}

function requirePlain(value: object, plain: object, path: Issue["path"]): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== plain && prototype !== null) {
    const name = (prototype as object).constructor?.name ?? "foreign object";
    throw new NotJson([...path], `a ${name} is not JSON; convert it to a plain value first`);
  }
  if (Object.getOwnPropertySymbols(value).length > 0) {
    throw new NotJson([...path], "an object with symbols for keys is not JSON");
  }
}
