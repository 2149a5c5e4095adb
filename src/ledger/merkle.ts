/**
 * RFC 6962 Merkle tree over the ledger's records, built by appending. Keeps only the right edge: the roots of the full
 * subtrees that the size's binary digits name, largest first. That is enough to go on from any size.
 *
 * Invariant: a leaf is hashed behind 0x00 and a node behind 0x01 (§2.1), so that neither can pose as the other.
 */
import { createHash } from "node:crypto";

const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

export class MerkleTree {
  private readonly edge: Buffer[];
  private count: number;

  private constructor(size: number, edge: Buffer[]) {
    this.count = size;
    this.edge = edge;
  }

  static empty(): MerkleTree {
    return new MerkleTree(0, []);
  }

  /** Goes on from a size and its {@link frontier}; `null` when the two do not belong together. */
  static resume(size: number, frontier: readonly string[]): MerkleTree | null {
    const digits = size.toString(2).replaceAll("0", "").length;
    if (frontier.length !== digits) {
      return null;
    }
    return new MerkleTree(
      size,
      frontier.map((hash) => Buffer.from(hash, "hex")),
    );
  }

  get size(): number {
    return this.count;
  }

  push(leaf: Uint8Array): void {
    let node: Buffer = createHash("sha256").update(LEAF).update(leaf).digest();
    // Every trailing one of the size is a full subtree that the new leaf completes to one twice as large.
    for (let rest = this.count; rest % 2 === 1; rest = (rest - 1) / 2) {
      node = parentOf(this.edge.pop()!, node);
    }
    this.edge.push(node);
    this.count++;
  }

  /** Root over all leaves (hex); of none, the SHA-256 of nothing. */
  root(): string {
    if (this.edge.length === 0) {
      return createHash("sha256").digest("hex");
    }
    return this.edge.reduceRight((right, left) => parentOf(left, right)).toString("hex");
  }

  /** Roots of the full subtrees, largest first (hex). */
  frontier(): string[] {
    return this.edge.map((hash) => hash.toString("hex"));
  }
}

function parentOf(left: Buffer, right: Buffer): Buffer {
  return createHash("sha256").update(NODE).update(left).update(right).digest();
}
