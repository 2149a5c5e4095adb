/** Streams a sanitised copy into its place in the form it is to have. Nothing is staged on this machine. */

import { packFile } from "../../archive/compression/pack-file.ts";
import { customArchive } from "../../archive/custom/custom-writer.ts";
import { writeDirectory } from "../../archive/files/directory-writer.ts";
import type { LocalTime } from "../../archive/model.ts";
import { writeScript } from "../../archive/plain/plain-writer.ts";
import { ageEncrypt } from "../../archive/wrapped/age-write.ts";
import { textCodec } from "../../erasure/text-codec.ts";
import { PolicyRefused, UsageError } from "../../errors.ts";
import type { LateHead } from "../../storage/contract.ts";
import { archiveToWrite } from "./scrub-archive.ts";
import type { ScrubContent } from "./scrub-content.ts";
import type { Encryption } from "./scrub-encryption.ts";
import type { ScrubPlace } from "./scrub-place.ts";
import { scriptToWrite } from "./scrub-script.ts";
import type { ScrubShape } from "./scrub-shape.ts";

export interface CopyToWrite {
  readonly content: ScrubContent;
  readonly shape: ScrubShape;
  /** For the header of an archive. */
  readonly createdAt: LocalTime;
  /** For a script. */
  readonly startedAt: Date;
  readonly encryption: Encryption | null;
}

/** @throws SourceFailed, UsageError, Interrupted, and whatever reading and filtering the source throw. */
export async function writeCopy(copy: CopyToWrite, place: ScrubPlace): Promise<void> {
  const { content, shape } = copy;
  const encode = encoderFor(content.archive.encoding);
  if (shape.format === "plain") {
    const script = writeScript(scriptToWrite(content, copy.startedAt, encode));
    const { by, level } = shape.compression;
    await uploadOne(copy, place, packFile(by, script, level ?? undefined));
    return;
  }
  const archive = archiveToWrite(content, shape, copy.createdAt, encode);
  if (shape.format === "directory") {
    await writeDirectory(archive, async (name, body) => void (await place.upload(name, body)));
    return;
  }
  const { head, body } = customArchive(archive);
  await uploadOne(copy, place, body, head);
}

async function uploadOne(
  { encryption }: CopyToWrite,
  place: ScrubPlace,
  body: AsyncIterable<Buffer>,
  head?: LateHead,
): Promise<void> {
  const sealed = encryption === null ? { body, head } : await ageEncrypt(body, encryption.to, head);
  await place.upload(place.key ?? "", sealed.body, sealed.head);
}

/** Texts of the dump in its own encoding. */
function encoderFor(encoding: string): (text: string) => Buffer {
  const { encode } = textCodec(encoding);
  return (text) => {
    try {
      return isAscii(text) ? Buffer.from(text, "latin1") : encode(text);
    } catch (error) {
      if (!(error instanceof PolicyRefused)) throw error;
      throw new UsageError(
        `the dump has a name or definition that cannot be written here in its encoding ${encoding}`,
        {
          code: "encoding",
          hint: "dump with pg_dump --encoding=UTF8; or keep the source's own format and version, which leaves texts as they are",
          cause: error,
        },
      );
    }
  };
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}
