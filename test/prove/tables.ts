import type { StorageName } from "../ground/grounds.ts";

/** A table of Posthorn's, as its host would find it. */
export const tableOf = (storage: StorageName, table: "lanes" | "events" | "deliveries"): string =>
  storage === "postgres" ? `posthorn.${table}` : `posthorn_${table}`;
