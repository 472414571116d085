export { drizzleTransaction } from "./transaction/drizzle.ts";
export { knexTransaction } from "./transaction/knex.ts";
export { kyselyTransaction } from "./transaction/kysely.ts";
export { mikroOrmTransaction } from "./transaction/mikro-orm.ts";
export { mysqlTransaction } from "./transaction/mysql.ts";
export { type PgTransactionOptions, pgTransaction } from "./transaction/pg.ts";
export { pgliteTransaction } from "./transaction/pglite.ts";
export { postgresJsTransaction } from "./transaction/postgres-js.ts";
export { prismaTransaction } from "./transaction/prisma.ts";
export { sqliteTransaction } from "./transaction/sqlite.ts";
export {
  type DetectedTransaction,
  isSqlTransaction,
  type SqlTransaction,
} from "./transaction/transaction.ts";
export { typeormTransaction } from "./transaction/typeorm.ts";
