import { PosthornError } from "@posthorn/core";

/**
 * Refuses options that there are none of: a name that is mistyped, or belongs to another storage,
 * would change nothing and say nothing.
 *
 * @throws PosthornError `invalid_options`, naming those that there are
 */
export function assertOptions<Options extends object>(
  storage: string,
  given: Options,
  known: { readonly [Name in keyof Options]-?: true },
): void {
  const names = Object.keys(known);
  const listed = names.join(", ");
  if (typeof given !== "object" || given === null) {
    throw new PosthornError(
      "invalid_options",
      `${storage} takes an object with its options: ${listed}.`,
    );
  }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || names.includes(name)) continue;
    throw new PosthornError(
      "invalid_options",
      `${storage} has no option ${JSON.stringify(name.slice(0, 100))}. Its options are ${listed}.`,
    );
  }
}
