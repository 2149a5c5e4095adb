/** CPU seconds of `sanitize --help`, as the process itself counts them when it ends. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { median } from "./measure.ts";

export async function measureHelp(tool: string, runs: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "sanitize-help-"));
  try {
    const preload = join(folder, "count.cjs");
    const count =
      "const { user, system } = process.cpuUsage(); require('fs').writeSync(2, 'cpu ' + (user + system) / 1e6);";
    await writeFile(preload, `process.on("exit", () => { ${count} });`);
    const seconds: number[] = [];
    for (let run = 0; run < Math.max(runs, 3); run++) {
      const { stderr } = await promisify(execFile)(process.execPath, ["--require", preload, tool, "--help"]);
      seconds.push(Number(/cpu (\S+)/.exec(stderr)?.[1]));
    }
    return median(seconds);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
