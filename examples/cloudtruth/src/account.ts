import type { Actor } from "@posthorn/core";

/** Who calls: a user of one organization. */
export interface Account {
  readonly organization: string;
  readonly actor: Actor;
}

/** The two organizations of the example, by API key. A real app would look up a hash of the key. */
const accounts: ReadonlyMap<string, Account> = new Map([
  [
    "acme-key",
    { organization: "acme", actor: { id: "auth0|ana", type: "user", name: "Ana Diaz" } },
  ],
  [
    "globex-key",
    { organization: "globex", actor: { id: "auth0|bo", type: "user", name: "Bo Chen" } },
  ],
]);

/** Whose request it is, by its header `Authorization: Api-Key …`; null if it is nobody's. */
export function accountOf(request: Request): Account | null {
  const [, key = ""] = /^Api-Key (\S+)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  return accounts.get(key) ?? null;
}
