/** What a file that cannot be read is said to be. */

export interface Refusal {
  /** Continues the sentence "this is …". */
  readonly fact: string;
  readonly hint: string;
  /** `unsupported_format` unless told. */
  readonly code?: string;
}

/** Whether `head` begins with these bytes. */
export function startsWith(head: Buffer, magic: ArrayLike<number>): boolean {
  return head.length >= magic.length && head.subarray(0, magic.length).equals(Uint8Array.from(magic));
}
