import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type DatabaseAddress, databaseAddress } from "./database/address.ts";
import { Mistake } from "./mistake.ts";

/** What outlasts a run of the example. */
export interface Home {
  readonly database: DatabaseAddress;
  /** 32 bytes in base64: without the same key, the next run could not open the webhooks' tokens. */
  readonly encryptionKey: string;
  /** Where the key was read, or written if there was none; null if it was given. */
  readonly keyFile: string | null;
  /** Removes a temporary home, and no other. */
  leave(): void;
}

const FOLDER = join(import.meta.dirname, "../.data");

/**
 * Finds what the last run kept, or makes it.
 *
 * @throws Mistake if nothing can be kept there, or the key that is kept cannot be used
 */
export function openHome(given: {
  readonly database: DatabaseAddress | undefined;
  readonly encryptionKey: string | undefined;
  /** Whether to keep nothing but in a database that is given. */
  readonly isTemporary: boolean;
}): Home {
  const folder = given.isTemporary ? mkdtempSync(join(tmpdir(), "cloudtruth-")) : FOLDER;
  const database = given.database ?? databaseAddress(`file:${join(folder, "cloudtruth.db")}`);
  const keyFile = `${database.file ?? join(folder, "cloudtruth")}.key`;
  makeFolder(dirname(keyFile));
  return {
    database,
    encryptionKey: given.encryptionKey ?? keyIn(keyFile),
    keyFile: given.encryptionKey === undefined ? keyFile : null,
    leave: () => {
      if (given.isTemporary) rmSync(folder, { recursive: true });
    },
  };
}

/** Is it 32 bytes in base64? */
export const isKey = (text: string): boolean => Buffer.from(text, "base64").length === 32;

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new Mistake(`Nothing can be kept in ${folder}: ${(error as Error).message}`);
  }
}

function keyIn(file: string): string {
  try {
    const key = randomBytes(32).toString("base64");
    writeFileSync(file, `${key}\n`, { flag: "wx", mode: 0o600 });
    return key;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST") throw new Mistake(`No key can be kept in ${file}: ${message}`);
  }
  const key = readFileSync(file, "utf8").trim();
  if (isKey(key)) return key;
  throw new Mistake(
    `${file} must hold the key that sealed the webhooks' tokens: 32 bytes in base64. Restore it; or delete it, and give every webhook its token again.`,
  );
}
