/** The part of a logger that Posthorn uses; pino's shape, so a pino logger fits as it is. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

const nothing = (): void => {};

/** Says nothing. */
export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
};

/** The logger, with whatever it throws or rejects swallowed: logging never disturbs delivery. */
export function isolated(logger: Logger): Logger {
  const guard =
    (level: keyof Logger) =>
    (fields: object, message: string): void => {
      try {
        const result: unknown = logger[level](fields, message);
        if (result instanceof Promise) result.catch(nothing);
      } catch {
        // A logger that fails has nobody left to tell.
      }
    };
  return { debug: guard("debug"), info: guard("info"), warn: guard("warn"), error: guard("error") };
}
