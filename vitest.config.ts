import { defineConfig } from "vitest/config";
import { ClosingLineReporter } from "./scripts/closing-line-reporter.ts";

const INTEGRATION = "src/**/*.integration.test.ts";

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    reporters: ["default", new ClosingLineReporter()],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["src/**/*.test.ts"],
          exclude: [INTEGRATION],
          testTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: [INTEGRATION],
          globalSetup: ["src/embedded/testing/global-setup.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // The servers take turns with the processors: after the quick tests, not beside them.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
