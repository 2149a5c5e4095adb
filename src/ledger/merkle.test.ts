import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MerkleTree } from "./merkle.ts";

/** The leaves and roots that implementations of Certificate Transparency are tested with. */
const LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS = new Map([
  [0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
  [1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"],
  [2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
  [3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"],
  [8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"],
]);

function treeOver(leaves: readonly Uint8Array[]): MerkleTree {
  const tree = MerkleTree.empty();
  for (const leaf of leaves) {
    tree.push(leaf);
  }
  return tree;
}

/** RFC 6962, §2.1, word for word. */
function definition(leaves: readonly Uint8Array[]): Buffer {
  const hash = (...parts: Uint8Array[]) => createHash("sha256").update(Buffer.concat(parts)).digest();
  if (leaves.length < 2) {
    return leaves.length === 0 ? hash() : hash(Buffer.from([0]), leaves[0]!);
  }
  let split = 1;
  while (split * 2 < leaves.length) {
    split *= 2;
  }
  return hash(Buffer.from([1]), definition(leaves.slice(0, split)), definition(leaves.slice(split)));
}

describe("MerkleTree", () => {
  test.each([...ROOTS])("root over %i leaves", (size, root) => {
    expect(treeOver(LEAVES.slice(0, size).map((leaf) => Buffer.from(leaf, "hex"))).root()).toBe(root);
  });

  test("agrees with the definition at every size, also when it goes on from a frontier", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 4 }), { maxLength: 70 }), fc.nat({ max: 70 }), (leaves, at) => {
        const split = Math.min(at, leaves.length);
        const before = treeOver(leaves.slice(0, split));
        const tree = MerkleTree.resume(split, before.frontier())!;
        for (const leaf of leaves.slice(split)) {
          tree.push(leaf);
        }
        expect(tree.size).toBe(leaves.length);
        expect(tree.root()).toBe(definition(leaves).toString("hex"));
      }),
    );
  });

  test("does not go on from a frontier of another size", () => {
    expect(MerkleTree.resume(4, treeOver([Buffer.of(1), Buffer.of(2), Buffer.of(3)]).frontier())).toBeNull();
  });
});
