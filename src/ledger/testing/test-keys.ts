/** Key sets for tests: made in memory, different each time. */
import { createSecretKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { KeySet, keyIdOf, type SigningKey } from "../key-set.ts";

export function testSigningKey(): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return { kid: keyIdOf(publicKey), publicKey, privateKey };
}

/** A complete key set with the given epochs, the last of them current. */
export function testKeySet(epochs: readonly number[] = [1], ledgerId = "test-ledger"): KeySet {
  return new KeySet({
    ledgerId,
    hmac: new Map(epochs.map((epoch) => [epoch, createSecretKey(randomBytes(32))])),
    currentEpoch: epochs.at(-1)!,
    checkpoint: testSigningKey(),
    evidence: testSigningKey(),
    trustedCheckpointKeys: new Map(),
  });
}
