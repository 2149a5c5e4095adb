/**
 * How much a backup may grow while it is unpacked: a file made to fill memory, disks or a day of work ("bomb") is
 * stopped. What is judged is the whole, not one stream of it: many small tables of one value each are normal.
 *
 * Invariant: of each kind of content (what a compressed file holds; what all blocks of an archive hold) no more is given
 * out than 256 MiB, or `ratio` bytes for each stored byte that was read, whichever is more.
 */

import { ArchiveDamaged } from "../../errors.ts";
import type { ByteSource } from "../model.ts";

const ALWAYS_ALLOWED_BYTES = 256 * 1024 * 1024;
const DEFAULT_RATIO = 1000;

/** One per opened backup. */
export class Expansion {
  readonly #ratio: number;
  #stored = 0;

  /** `ratio`: bytes of content for one stored byte. */
  constructor(ratio: number = DEFAULT_RATIO) {
    this.#ratio = ratio;
  }

  /** The stored file, its bytes counted as they are read. */
  counted(source: ByteSource): ByteSource {
    const count = (bytes: Buffer): void => {
      this.#stored += bytes.length;
    };
    return {
      size: source.size,
      sequential: source.sequential === true,
      async *read(start, end, signal) {
        for await (const bytes of source.read(start, end, signal)) {
          count(bytes);
          yield bytes;
        }
      },
    };
  }

  /** A limit for one kind of content, shared by all its streams. */
  limit(): ContentLimit {
    let given = 0;
    return {
      check: (bytes, where) => {
        given += bytes;
        if (given > ALWAYS_ALLOWED_BYTES && given > this.#stored * this.#ratio) {
          throw new ArchiveDamaged(
            `${this.#stored} stored bytes expand to more than ${this.#ratio} times as many in ${where}`,
            { code: "expands_too_much", hint: "if the backup is sound, raise limits.max_expansion" },
          );
        }
      },
    };
  }
}

export interface ContentLimit {
  /** Counts bytes that were decoded. @throws ArchiveDamaged (`expands_too_much`) */
  check(bytes: number, where: string): void;
}

/** Passes on what a decoder gives as long as `limit` allows; without a limit, the decoder itself. */
export function limited(
  decoded: AsyncGenerator<Buffer, void, undefined>,
  limit: ContentLimit | undefined,
  where: string,
): AsyncGenerator<Buffer, void, undefined> {
  return limit === undefined ? decoded : checked(decoded, limit, where);
}

async function* checked(
  decoded: AsyncGenerator<Buffer, void, undefined>,
  limit: ContentLimit,
  where: string,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const bytes of decoded) {
    limit.check(bytes.length, where);
    yield bytes;
  }
}
