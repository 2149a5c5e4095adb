/** One database in every shape that pg_dump and operators give a backup: format, compression, what is wrapped around it. */
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { ConnectionSettings } from "../../postgres/connection-settings.ts";
import { newerClients } from "../../postgres/testing/newer-clients.ts";
import { serverSettings, tools } from "../../postgres/testing/real-server.ts";

const execute = promisify(execFile);

/** A backup to make: `$DB` is the database's name, `$OUT` the file or folder to make, `$DUMP` pg_dump with connection. */
export interface DumpShape {
  readonly name: string;
  readonly script: string;
}

const raw = `$DUMP $DB`;

/** Of pg_dump and pg_dumpall of the server's own major. */
export const ownShapes: readonly DumpShape[] = [
  { name: "custom gzip", script: `${raw} -Fc -f $OUT` },
  { name: "custom none", script: `${raw} -Fc -Z0 -f $OUT` },
  { name: "custom through a pipe", script: `${raw} -Fc | cat > $OUT` },
  { name: "custom appended with >>", script: `${raw} -Fc >> $OUT` },
  { name: "custom of INSERTs", script: `${raw} -Fc --inserts -f $OUT` },
  { name: "custom, partitions through their root", script: `${raw} -Fc --load-via-partition-root -f $OUT` },
  { name: "custom .dump.zst", script: `${raw} -Fc -Z0 | zstd -q -o $OUT` },
  { name: "custom .dump.gz", script: `${raw} -Fc | gzip > $OUT` },
  { name: "directory gzip", script: `${raw} -Fd -f $OUT` },
  { name: "directory none, two jobs", script: `${raw} -Fd -Z0 -j2 -f $OUT` },
  { name: "directory, half unpacked by hand", script: `${raw} -Fd -f $OUT; gunzip $OUT/3*.gz` },
  { name: "directory as .tar", script: `${raw} -Fd -f $OUT.dir; tar -cf $OUT -C $OUT.dir .` },
  {
    name: "directory as .tar.zst",
    script: `${raw} -Fd -Z0 -f $OUT.dir; tar -c -C $(dirname $OUT) $(basename $OUT).dir | zstd -q -o $OUT`,
  },
  {
    name: "directory as .tar.gz, toc.dat last",
    script: `${raw} -Fd -f $OUT.dir; cd $OUT.dir; tar -czf $OUT $(ls | sort)`,
  },
  { name: "tar", script: `${raw} -Ft -f $OUT` },
  { name: "tar .gz", script: `${raw} -Ft | gzip > $OUT` },
  { name: "tar of INSERTs", script: `${raw} -Ft --column-inserts -f $OUT` },
  { name: "plain", script: `${raw} -f $OUT` },
  { name: "plain verbose", script: `${raw} --verbose -f $OUT` },
  { name: "plain with gzip of pg_dump's own", script: `${raw} -Z6 -f $OUT` },
  { name: "plain .sql.zst", script: `${raw} | zstd -q -o $OUT` },
  { name: "plain .sql.lz4", script: `${raw} | lz4 -q > $OUT` },
  { name: "plain of INSERTs", script: `${raw} --inserts -f $OUT` },
  { name: "plain of INSERTs with columns, gzipped", script: `${raw} --column-inserts | gzip > $OUT` },
  { name: "plain of INSERTs, many rows each", script: `${raw} --rows-per-insert=100 --on-conflict-do-nothing -f $OUT` },
  { name: "plain with create, clean, if exists", script: `${raw} -C -c --if-exists -f $OUT` },
  {
    name: "plain, two frames of zstd",
    script: `${raw} -f $OUT.sql; (head -c 70001 $OUT.sql | zstd -q; tail -c +70002 $OUT.sql | zstd -q) > $OUT`,
  },
  { name: "plain by pg_restore -f", script: `${raw} -Fc -f $OUT.dump; $RESTORE -f $OUT $OUT.dump` },
];

/** Of newer clients on the same server. */
export const newerShapes: readonly DumpShape[] = [
  { name: "custom zstd", script: `${raw} -Fc -Z zstd -f $OUT` },
  { name: "custom lz4 through a pipe", script: `${raw} -Fc -Z lz4 | cat > $OUT` },
  { name: "directory zstd", script: `${raw} -Fd -Z zstd -f $OUT` },
  { name: "directory lz4", script: `${raw} -Fd -Z lz4 -f $OUT` },
  { name: "tar", script: `${raw} -Ft -f $OUT` },
  { name: "plain zstd", script: `${raw} -Z zstd -f $OUT` },
  { name: "plain of INSERTs", script: `${raw} --inserts -f $OUT` },
];

/** All that can be had on this machine, with the major whose programs make it. */
export const everyShape: readonly (DumpShape & { readonly major: number | null })[] = [
  ...ownShapes.map((shape) => ({ ...shape, major: null })),
  ...newerClients.flatMap(({ major }) => newerShapes.map((shape) => ({ ...shape, major }))),
];

/** Makes one at `path`. */
export async function makeDump(
  shape: DumpShape & { readonly major: number | null },
  database: string,
  path: string,
  server: ConnectionSettings = serverSettings(),
): Promise<void> {
  const programs = newerClients.find(({ major }) => major === shape.major) ?? tools;
  const { host, port, user, password } = server;
  await mkdir(dirname(path), { recursive: true });
  await execute("bash", ["-euo", "pipefail", "-c", shape.script], {
    env: {
      ...process.env,
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user,
      PGPASSWORD: password ?? "",
      DUMP: programs?.pg_dump ?? "pg_dump",
      RESTORE: programs?.pg_restore ?? "pg_restore",
      DB: database,
      OUT: join(path),
    },
    maxBuffer: 64 * 1024 * 1024,
  });
}
