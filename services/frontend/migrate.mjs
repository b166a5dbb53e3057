// Migrates the database named by DATABASE_URL: `node migrate.mjs`, here from the sources (Node strips the types) and in
// the image from one bundled file of the same name. Needs the same environment as the server.
import { readEnvironment } from "./src/server/environment.ts";
import { createLog, describeError } from "./src/server/log.ts";
import { migrate } from "./src/server/migrate.ts";

let log = createLog("info", (line) => process.stdout.write(line));
try {
  const environment = readEnvironment(process.env);
  log = createLog(environment.LOG_LEVEL, (line) => process.stdout.write(line));
  const { created, extended } = await migrate(environment, log);
  log("info", "migrated", { tables_created: created.join(","), tables_extended: extended.join(",") });
} catch (error) {
  log("error", "migration_failed", describeError(error));
  process.exitCode = 1;
}
