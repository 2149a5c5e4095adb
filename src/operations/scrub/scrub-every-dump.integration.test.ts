/**
 * One database, dumped in every shape that pg_dump and operators give a backup, and written anew: in the shape it has, or in
 * another. What `sanitize restore` and stock tools make of the copy is what pg_restore and SQL by hand make of the backup.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ScrubEvidence } from "../../evidence/document.ts";
import { dropDatabases, serverUrl, tool, tools } from "../../postgres/testing/real-server.ts";
import { restoreBackup } from "../restore.ts";
import { everyShape, makeDump } from "../testing/every-dump.ts";
import { emptyDatabase, makeShop, picturesPolicy } from "../testing/shop-backup.ts";
import { comparable, type ShopRun, setUpShopRun } from "../testing/shop-run.ts";
import { scrubBackup } from "./scrub.ts";

const ready = serverUrl !== null && tools !== null;
/** In turn, so that every shape is written in one and every form is written from many shapes. */
const formats = [null, "custom", "plain", "directory"] as const;
const made: string[] = [];
let folder = "";
let source = "";
let expected = "";
let run: ShopRun;

beforeAll(async () => {
  if (!ready) return;
  folder = await mkdtemp(join(tmpdir(), "sanitize-scrub-every-"));
  const shop = await makeShop(folder, made);
  source = shop.source;
  expected = await comparable(shop.oracle);
  run = await setUpShopRun(folder, { url: "backups", baseDirectory: folder }, undefined, picturesPolicy);
}, 120_000);

afterAll(async () => {
  if (!ready) return;
  await dropDatabases(made);
  await rm(folder, { recursive: true, force: true });
});

/** The copy by pg_restore with two jobs, or by psql, where those of the server's major read it. */
async function byStockTools(out: string, { format, compression }: ScrubEvidence): Promise<void> {
  const toc = format === "directory" ? join(out, "toc.dat") : out;
  const readable = format === "plain" ? compression === "none" : (await readFile(toc))[6]! <= 14;
  if (!readable) return;
  const target = await emptyDatabase("stock", made);
  if (format === "plain") await tool(tools!.psql, target, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", out);
  else await tool(tools!.pg_restore, target, "--exit-on-error", "-j2", out);
  expect(await comparable(target)).toBe(expected);
  await dropDatabases([target]);
}

describe.skipIf(!ready)("a sanitised copy of", () => {
  it.each(
    everyShape.map((shape, at) => {
      const format = formats[at % formats.length] ?? null;
      return [
        shape.major === null ? shape.name : `${shape.major}: ${shape.name}`,
        format ?? "itself",
        { shape, format },
      ] as const;
    }),
  )(
    "%s, as %s",
    async (name, _as, { shape, format }) => {
      const path = join(folder, "backups", name.replaceAll(/[^\w.]+/g, "-"));
      const out = `${path}-copy`;
      await makeDump(shape, source, path);
      const options = { replace: false, recipients: [], passphraseFile: null, unencrypted: false, compression: null };
      const copy = await scrubBackup(run.context(null), path, { ...options, out, format });
      expect(copy.error).toBeUndefined();
      expect(copy.evidence.large_objects).toMatchObject({ restored: 2, erased: 2 });
      await byStockTools(out, copy.evidence.scrub!);
      const target = await emptyDatabase("copied", made);
      const restored = await restoreBackup(run.context(target), out);
      expect(restored.error).toBeUndefined();
      expect(await comparable(target)).toBe(expected);
      const changed = restored.evidence.tables?.reduce((sum, table) => sum + table.rows_erased, 0);
      expect(changed).toBe(0);
      await Promise.all([path, out].map((made) => rm(made, { recursive: true, force: true })));
      await dropDatabases([target]);
    },
    120_000,
  );
});
