export { postgresTransport } from "./transport.ts";
export type { PostgresTransportOptions } from "./options.ts";
export type { PgClient } from "./client.ts";
