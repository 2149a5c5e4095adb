/** Every command, in the order the help lists them. */
import { registerBackups } from "./commands/backups.ts";
import { registerDemo } from "./commands/demo.ts";
import { registerLedger } from "./commands/ledger.ts";
import { registerPolicy } from "./commands/policy.ts";
import { registerReport } from "./commands/report.ts";
import { registerRestore } from "./commands/restore.ts";
import { registerScrub } from "./commands/scrub.ts";
import { registerVerify } from "./commands/verify.ts";
import type { Register } from "./register.ts";

export const commands: readonly Register[] = [
  registerDemo,
  registerRestore,
  registerVerify,
  registerReport,
  registerScrub,
  registerBackups,
  registerLedger,
  registerPolicy,
];
