/** How an age file begins: age-encryption.org/v1, binary or in ASCII armor. */

export const AGE_MAGIC = "age-encryption.org/v1\n";
export const ARMOR_BEGIN = "-----BEGIN AGE ENCRYPTED FILE-----";

/** Whether a file that begins so is an age file, armored or not. */
export function beginsAge(head: Buffer): boolean {
  const text = head.toString("latin1", 0, 256);
  return text.startsWith(AGE_MAGIC) || text.trimStart().startsWith(ARMOR_BEGIN);
}
