/**
 * Signing of evidence: a detached Ed25519 signature over the document's canonical bytes (RFC 8785), checked offline with the
 * public key that stands beside it and whose ID the reader knows from elsewhere.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { UsageError, VerificationFailed } from "../errors.ts";
import { canonicalJson } from "../ledger/canonical-json.ts";
import { keyIdOf } from "../ledger/key-set.ts";
import type { EvidenceDocument } from "./document.ts";

export interface EvidenceSignature {
  readonly v: 1;
  readonly alg: "Ed25519";
  /** First 16 hex digits of the SHA-256 of the public key. */
  readonly kid: string;
  /** SHA-256 of the canonical document. */
  readonly sha256: string;
  /** Base64. */
  readonly sig: string;
  /** PEM. */
  readonly public_key: string;
}

/** @param privateKey an Ed25519 key. */
export function signEvidence(document: EvidenceDocument, privateKey: KeyObject): EvidenceSignature {
  const bytes = Buffer.from(canonicalJson(document));
  const publicKey = createPublicKey(privateKey);
  return {
    v: 1,
    alg: "Ed25519",
    kid: keyIdOf(publicKey),
    sha256: createHash("sha256").update(bytes).digest("hex"),
    sig: sign(null, bytes, privateKey).toString("base64"),
    public_key: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}

/**
 * Checks a document against its signature. With `expectedKid` also that it is the key the reader trusts.
 * @throws VerificationFailed (`evidence_signature`).
 */
export function verifyEvidence(document: unknown, signature: EvidenceSignature, expectedKid?: string): void {
  const bytes = Buffer.from(canonicalJson(document));
  const publicKey = publicKeyOf(signature);
  const fault =
    publicKey === null
      ? "its signature file is not one"
      : createHash("sha256").update(bytes).digest("hex") !== signature.sha256
        ? "the document is not the one that was signed"
        : keyIdOf(publicKey) !== signature.kid
          ? "the public key is not the one its ID names"
          : expectedKid !== undefined && expectedKid !== signature.kid
            ? "it is signed with another key than the expected one"
            : verify(null, bytes, publicKey, Buffer.from(signature.sig, "base64"))
              ? null
              : "the signature does not match";
  if (fault === null) return;
  throw new VerificationFailed(`the evidence does not verify: ${fault}`, {
    code: "evidence_signature",
    hint: "get the document and its .sig again from where they were written",
  });
}

/** The signature's own public key; `null` when this is no signature at all. */
function publicKeyOf(signature: Partial<EvidenceSignature> | null): KeyObject | null {
  const { public_key: pem, sig, sha256, kid } = signature ?? {};
  if ([pem, sig, sha256, kid].some((member) => typeof member !== "string")) return null;
  try {
    return createPublicKey(pem!);
  } catch (error) {
    if (error instanceof Error) return null;
    throw error;
  }
}

/** A private key from a PEM file's text. @throws UsageError (`signing_key`). */
export function readSigningKey(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch (cause) {
    throw notAKey(cause);
  }
  throw notAKey(undefined);
}

function notAKey(cause: unknown): UsageError {
  return new UsageError("the evidence signing key is no Ed25519 private key in PEM", {
    code: "signing_key",
    hint: "make one with: openssl genpkey -algorithm ed25519",
    cause: cause instanceof Error ? cause.name : cause,
  });
}
