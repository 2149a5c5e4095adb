/**
 * The library behind the command line. It never reads arguments or the environment, prints, installs signal handlers or
 * exits: configuration, clock, signal and progress are the caller's.
 */
export type { Archive, ArchiveHeader, ByteSource, TocEntry } from "./archive/model.ts";
export { closeArchive, finishArchive, openArchive } from "./archive/open-archive.ts";
export * from "./errors.ts";
export type { EvidenceDocument, RunOutcome } from "./evidence/document.ts";
export { type EvidenceSignature, signEvidence, verifyEvidence } from "./evidence/signature.ts";
export { appendErase, appendEraseLines, type EraseReceipt } from "./ledger/erase.ts";
export { heartbeat } from "./ledger/follow-up.ts";
export { initLedger } from "./ledger/init.ts";
export { loadKeyFile } from "./ledger/key-file.ts";
export type { ErasureRequest, VerifiedLedger } from "./ledger/model.ts";
export { verifyLedger } from "./ledger/verify.ts";
export { type BackupDescription, describeBackups } from "./operations/backups.ts";
export { type DemoOptions, type DemoResult, runDemo } from "./operations/demo.ts";
export { planRestore, restoreBackup } from "./operations/restore.ts";
export type { RunResult } from "./operations/run-evidence.ts";
export { planScrub, scrubBackup } from "./operations/scrub/scrub.ts";
export type { RunContext, RunEvent, Settings } from "./operations/settings.ts";
export { reportBackup, verifyBackup } from "./operations/verify.ts";
export { coverPolicy } from "./policy/coverage.ts";
export { loadPolicy } from "./policy/load.ts";
export type { Coverage, Policy } from "./policy/model.ts";
export type { ObjectStore, PinnedObject } from "./storage/contract.ts";
export { openStore, type StoreLocation } from "./storage/open-store.ts";
export { toolVersion } from "./version.ts";
