/** Client programs of newer PostgreSQL majors than the server's own, where scripts/servers/pg-clients.sh put them. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

export interface ClientPrograms {
  readonly major: number;
  readonly pg_dump: string;
  readonly pg_dumpall: string;
  readonly pg_restore: string;
  readonly psql: string;
}

/** Where they are looked for. */
const place = process.env.SANITIZE_PG_CLIENTS ?? "/opt/pgclients";

/** Oldest first; empty where none was installed. */
export const newerClients: readonly ClientPrograms[] = (existsSync(place) ? readdirSync(place) : [])
  .filter((name) => /^\d+$/.test(name) && existsSync(join(place, name, "pg_dump")))
  .map((name) => {
    const program = (of: string): string => join(place, name, of);
    return {
      major: Number(name),
      pg_dump: program("pg_dump"),
      pg_dumpall: program("pg_dumpall"),
      pg_restore: program("pg_restore"),
      psql: program("psql"),
    };
  })
  .sort((a, b) => a.major - b.major);
