import type { Logger } from "@posthorn/core";

/** Says on the terminal what went wrong, and what to do about it. */
export const logger: Logger = {
  debug: () => {},
  info: () => {},
  warn: print,
  error: print,
};

function print(fields: object, message: string): void {
  const { reason, remedy, error } = fields as Readonly<Record<string, unknown>>;
  const details = [reason, remedy, error].filter(
    (detail) => detail !== undefined && detail !== null,
  );
  console.error([message, ...details.map(String)].join(". "));
}
