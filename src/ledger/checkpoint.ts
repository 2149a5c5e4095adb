/**
 * `head.json`: the signed statement of how long the ledger is and what it holds. ERASURE §2.1 (in the spirit of C2SP's
 * tlog-checkpoint, as JSON).
 *
 * Beside size and root it carries the tree's frontier, so that a writer can go on from it without reading the whole
 * ledger; readers recompute everything from the records.
 */
import { sign, verify } from "node:crypto";
import { LedgerRefused } from "../errors.ts";
import { canonicalJson } from "./canonical-json.ts";
import { formatInstant, isInstant } from "./instant.ts";
import type { KeySet } from "./key-set.ts";
import { MerkleTree } from "./merkle.ts";

/** Where the checkpoint is stored. */
export const CHECKPOINT_KEY = "head.json";

/** More than any checkpoint has: 54 hashes of frontier are 4 KB. */
export const MAX_CHECKPOINT_BYTES = 64 * 1024;

export interface Checkpoint {
  readonly v: 1;
  readonly ledger_id: string;
  /** Number of records it covers. */
  readonly size: number;
  /** RFC 6962 root over their bytes, hex. */
  readonly root: string;
  /** SHA-256 of the last of them, hex. */
  readonly head: string;
  /** RFC 3339 UTC with milliseconds. */
  readonly time: string;
  /** Roots of the full subtrees, largest first, hex. */
  readonly frontier: readonly string[];
  readonly sig: { readonly kid: string; readonly alg: "Ed25519"; readonly sig: string };
}

/** Signs a checkpoint over a tree; its canonical bytes. @throws LedgerRefused `ledger_key` when the key set cannot sign. */
export function buildCheckpoint(tree: MerkleTree, head: string, time: Date, keys: KeySet): Buffer {
  const unsigned = {
    v: 1 as const,
    ledger_id: keys.ledgerId,
    size: tree.size,
    root: tree.root(),
    head,
    time: formatInstant(time),
    frontier: tree.frontier(),
  };
  const sig = sign(null, Buffer.from(canonicalJson(unsigned)), keys.ledgerPrivateKey()).toString("base64");
  const checkpoint: Checkpoint = { ...unsigned, sig: { kid: keys.checkpoint.kid, alg: "Ed25519", sig } };
  return Buffer.from(canonicalJson(checkpoint));
}

/**
 * Reads a checkpoint and checks its signature.
 * @throws LedgerRefused `ledger_broken` when it is none, `ledger_key` when it is another ledger's or signed with a key
 * that is not held, `ledger_signature` when it was altered.
 */
export function parseCheckpoint(bytes: Buffer, keys: KeySet): Checkpoint {
  let content: unknown;
  try {
    content = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw brokenCheckpoint("it is not JSON");
  }
  if (!isCheckpoint(content) || !Buffer.from(canonicalJson(content)).equals(bytes)) {
    throw brokenCheckpoint("its members are not those of a checkpoint, or its bytes are not canonical");
  }
  if (content.ledger_id !== keys.ledgerId) {
    throw new LedgerRefused("the ledger is another one than that of the key set", {
      code: "ledger_key",
      hint: "check ledger.url and ledger.key_file: they name two different ledgers",
    });
  }
  const { sig, ...unsigned } = content;
  const publicKey = keys.ledgerPublicKey(sig.kid, "the checkpoint of the ledger");
  const signature = Buffer.from(sig.sig, "base64");
  // Base64 has spellings that decode alike: only one of them is what was written.
  const canonical = signature.toString("base64") === sig.sig;
  if (!canonical || !verify(null, Buffer.from(canonicalJson(unsigned)), publicKey, signature)) {
    throw new LedgerRefused("the signature of the ledger's checkpoint (head.json) does not hold", {
      code: "ledger_signature",
      hint: "the checkpoint was altered or written by somebody else: restore the ledger from its replica and find out who",
    });
  }
  if (treeOf(content)?.root() !== content.root) {
    throw brokenCheckpoint("its frontier does not give its root");
  }
  return content;
}

/** The tree to go on from; `null` when frontier and size do not belong together. */
export function treeOf(checkpoint: Checkpoint): MerkleTree | null {
  return MerkleTree.resume(checkpoint.size, checkpoint.frontier);
}

function brokenCheckpoint(fact: string): LedgerRefused {
  return new LedgerRefused(`the checkpoint of the ledger (${CHECKPOINT_KEY}) is damaged: ${fact}`, {
    code: "ledger_broken",
    hint: "restore the ledger from its replica; do not edit the checkpoint",
  });
}

const HASH = /^[0-9a-f]{64}$/;
const MEMBERS = ["frontier", "head", "ledger_id", "root", "sig", "size", "time", "v"];
const SIG_MEMBERS = ["alg", "kid", "sig"];

function isCheckpoint(value: unknown): value is Checkpoint {
  if (!hasMembers(value, MEMBERS) || !hasMembers(value.sig, SIG_MEMBERS)) {
    return false;
  }
  const { v, ledger_id, size, root, head, time, frontier, sig } = value;
  const isHash = (text: unknown) => typeof text === "string" && HASH.test(text);
  return (
    v === 1 &&
    typeof ledger_id === "string" &&
    typeof size === "number" &&
    Number.isSafeInteger(size) &&
    size > 0 &&
    isHash(root) &&
    isHash(head) &&
    isInstant(time) &&
    Array.isArray(frontier) &&
    frontier.every(isHash) &&
    sig.alg === "Ed25519" &&
    typeof sig.kid === "string" &&
    typeof sig.sig === "string"
  );
}

/** Whether a value is an object with exactly these members (given in order). */
function hasMembers<Name extends string>(value: unknown, names: readonly Name[]): value is Record<Name, unknown> {
  return value !== null && typeof value === "object" && Object.keys(value).sort().join() === names.join();
}
