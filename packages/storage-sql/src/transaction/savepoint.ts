/**
 * Is a PostgreSQL connection in a transaction? Where the driver does not know, a savepoint can only
 * be set in one, and elsewhere the attempt changes nothing. Both statements go as one message, so
 * that none of the host's comes between them.
 */
export async function acceptsSavepoint(
  execute: (statements: string) => PromiseLike<unknown>,
): Promise<boolean> {
  try {
    await execute("savepoint posthorn; release savepoint posthorn");
    return true;
  } catch (error) {
    const code: unknown = Reflect.get(Object(error), "code");
    if (code === NO_TRANSACTION) return false;
    if (code === FAILED_TRANSACTION) return true;
    throw error;
  }
}

const NO_TRANSACTION = "25P01";
const FAILED_TRANSACTION = "25P02";
