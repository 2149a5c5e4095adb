/**
 * Owns the last lines of a test run: what was not tried for lack of a server, and then, alone on the very last line,
 * `N passed, N failed` (and `N skipped` if any).
 *
 * Invariant: a run that counts a failure never ends with exit code 0; with SANITIZE_REQUIRE_ALL=1 neither does one that
 * left anything out.
 */

import { writeSync } from "node:fs";
import type { SerializedError } from "vitest";
import type { Reporter, TestModule } from "vitest/node";

interface Tally {
  passed: number;
  failed: number;
  readonly skipped: string[];
}

export class ClosingLineReporter implements Reporter {
  /** Stays as it is when the run breaks off before it ends. */
  private tally: Tally = { passed: 0, failed: 1, skipped: [] };

  onInit(): void {
    // Servers are stopped, and vitest still prints, after the run's end: only here nothing follows.
    process.once("exit", () => this.close());
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const tally: Tally = { passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const module of modules) {
      addModule(tally, module);
    }
    this.tally = tally;
  }

  private close(): void {
    const { passed, failed, skipped } = this.tally;
    const requireAll = process.env.SANITIZE_REQUIRE_ALL === "1";
    const leftOut = (process.env.SANITIZE_LEFT_OUT ?? "").split("\n").filter((line) => line !== "");
    const lines = leftOut.map((what) => `not tried here: ${what}`);
    if (requireAll && leftOut.length + skipped.length > 0) {
      lines.push(...skipped.map((name) => `skipped: ${name}`), "nothing may be left out here (SANITIZE_REQUIRE_ALL=1)");
      process.exitCode = 1;
    }
    if (failed > 0) {
      process.exitCode ||= 1;
    }
    const counts = `${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`;
    writeSync(1, `${[...lines, counts].join("\n")}\n`);
  }
}

function addModule(tally: Tally, module: TestModule): void {
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state === "passed") {
      tally.passed++;
    } else if (state === "skipped") {
      tally.skipped.push(`${module.relativeModuleId} > ${test.fullName}`);
    } else {
      tally.failed++;
    }
  }
  // A file that did not load, a hook that failed: their tests only count as skipped.
  const broken = [module, ...module.children.allSuites()].filter((task) => task.errors().length > 0);
  tally.failed += broken.length;
}
