import { preset } from "../../tsup.preset.ts";

export default preset("src/sqlite.ts", "src/postgres.ts", "src/mysql.ts", "src/transaction.ts");
