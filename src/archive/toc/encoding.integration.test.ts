/** PostgreSQL itself is the judge of what a code means: every one- and two-byte code, and three of EUC_JP. */

import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testServers } from "../../embedded/testing/servers.ts";
import { ArchiveDamaged } from "../../errors.ts";
import { decoderFor } from "./encoding.ts";

const url = testServers().postgres[0]?.url;

const SINGLE = [
  "LATIN1",
  "LATIN2",
  "LATIN3",
  "LATIN4",
  "LATIN5",
  "LATIN6",
  "LATIN7",
  "LATIN8",
  "LATIN9",
  "ISO_8859_5",
  "ISO_8859_6",
  "ISO_8859_7",
  "ISO_8859_8",
  "WIN866",
  "WIN874",
  "WIN1250",
  "WIN1251",
  "WIN1252",
  "WIN1253",
  "WIN1254",
  "WIN1255",
  "WIN1256",
  "WIN1257",
  "WIN1258",
  "KOI8R",
  "KOI8U",
];
const DOUBLE = ["SJIS", "EUC_JP", "EUC_CN", "EUC_KR", "GBK", "GB18030"];

const CODES = {
  single: "SELECT set_byte('\\x00', 0, a) FROM generate_series(1, 255) a",
  double:
    "SELECT set_byte(set_byte('\\x0000', 0, a), 1, z) FROM generate_series(128, 255) a, generate_series(1, 255) z",
  triple:
    "SELECT set_byte(set_byte('\\x8f0000', 1, a), 2, z) FROM generate_series(161, 254) a, generate_series(161, 254) z",
};

describe.skipIf(url === undefined)("decoders agree with PostgreSQL (needs a PostgreSQL server)", () => {
  const client = new pg.Client({ connectionString: url });

  beforeAll(async () => {
    await client.connect();
    await client.query(`CREATE FUNCTION pg_temp.decoded(code bytea, encoding name) RETURNS text LANGUAGE plpgsql AS
      $$ BEGIN RETURN convert_from(code, encoding); EXCEPTION WHEN others THEN RETURN NULL; END $$`);
  });
  afterAll(() => client.end());

  /** Codes that we read as another text than PostgreSQL does, and how many we refuse. */
  async function compare(
    encoding: string,
    codes: string,
  ): Promise<{ wrong: string[]; refused: number; right: number }> {
    const decode = decoderFor(encoding);
    const { rows } = await client.query<{ code: Buffer; text: string }>(
      `SELECT code, text FROM (SELECT code, pg_temp.decoded(code, $1) AS text FROM (${codes}) AS c(code)) AS d
       WHERE text IS NOT NULL`,
      [encoding],
    );
    const found = { wrong: [] as string[], refused: 0, right: 0 };
    for (const { code, text } of rows) {
      try {
        if (decode(code) === text) {
          found.right++;
        } else {
          found.wrong.push(code.toString("hex"));
        }
      } catch (error) {
        expect(error).toBeInstanceOf(ArchiveDamaged);
        found.refused++;
      }
    }
    return found;
  }

  it.each(SINGLE)("%s, every byte", async (encoding) => {
    const found = await compare(encoding, CODES.single);
    expect(found).toMatchObject({ wrong: [], refused: 0 });
    expect(found.right).toBeGreaterThan(200);
  });

  it.each(DOUBLE)("%s, every two bytes", async (encoding) => {
    const found = await compare(encoding, CODES.double);
    expect(found.wrong).toEqual([]);
    expect(found.right).toBeGreaterThan(5000);
    expect(found.refused).toBeLessThan(300);
  });

  it("EUC_JP, every three bytes", async () => {
    const found = await compare("EUC_JP", CODES.triple);
    expect(found.wrong).toEqual([]);
    expect(found.right).toBeGreaterThan(6000);
  });
});
