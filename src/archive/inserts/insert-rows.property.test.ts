/** Any values, written as any of pg_dump's options writes them and cut anywhere, are the COPY text of those values. */
import fc from "fast-check";
import { it } from "vitest";
import { joined } from "../testing/sources.ts";
import { leadBytes } from "../toc/lead-bytes.ts";
import { InsertRows } from "./insert-rows.ts";

type Value = { readonly text: Buffer } | { readonly bare: string } | null;

interface Form {
  readonly names: boolean;
  readonly rowsPerInsert: number;
  readonly onConflict: boolean;
  readonly standardConformingStrings: boolean;
  readonly overriding: boolean;
  /** Behind the first column, where there is one. */
  readonly generated: boolean;
}

const COPY_ESCAPES = new Map([
  [8, "\\b"],
  [9, "\\t"],
  [10, "\\n"],
  [11, "\\v"],
  [12, "\\f"],
  [13, "\\r"],
  [0x5c, "\\\\"],
]);

/** Characters of SJIS as wholes: two bytes where the first one says so. */
function characters(text: Buffer, sjis: boolean): Buffer[] {
  const found: Buffer[] = [];
  const leads = leadBytes("SJIS")!;
  for (let at = 0; at < text.length; ) {
    const width = sjis && leads[text[at]!] === 1 ? 2 : 1;
    found.push(text.subarray(at, at + width));
    at += width;
  }
  return found;
}

function copyField(value: Value, sjis: boolean): Buffer {
  if (value === null) return Buffer.from("\\N");
  if ("bare" in value)
    return Buffer.from(value.bare === "true" || value.bare === "false" ? value.bare[0]! : value.bare);
  return Buffer.concat(
    characters(value.text, sjis).map((character) => {
      const letters = character.length === 1 ? COPY_ESCAPES.get(character[0]!) : undefined;
      return letters === undefined ? character : Buffer.from(letters);
    }),
  );
}

function literal(value: Value, form: Form, sjis: boolean): Buffer {
  if (value === null) return Buffer.from("NULL");
  if ("bare" in value) return Buffer.from(value.bare);
  const doubled = characters(value.text, sjis).map((character) => {
    const isQuote = character.length === 1 && character[0] === 0x27;
    const isEscape = character.length === 1 && character[0] === 0x5c && !form.standardConformingStrings;
    return isQuote || isEscape ? Buffer.concat([character, character]) : character;
  });
  return Buffer.concat([Buffer.from("'"), ...doubled, Buffer.from("'")]);
}

function separated(parts: readonly Buffer[], separator: string): Buffer {
  return Buffer.concat(parts.flatMap((part, index) => (index === 0 ? [part] : [Buffer.from(separator), part])));
}

/** As dumpTableData_insert writes them. */
function statements(rows: readonly (readonly Value[])[], form: Form, sjis: boolean): Buffer {
  const columns = rows[0]?.length ?? 0;
  const list = Array.from({ length: columns }, (_, index) => `"c;'(${index}"`).join(", ");
  const head = `INSERT INTO s."t VALUES (" ${form.names ? `(${list}) ` : ""}${form.overriding ? "OVERRIDING SYSTEM VALUE " : ""}VALUES`;
  const end = form.onConflict ? " ON CONFLICT DO NOTHING;\n" : ";\n";
  const tuples = rows.map((row) => {
    const values = row.map((value) => literal(value, form, sjis));
    if (form.generated && !form.names) values.splice(1, 0, Buffer.from("DEFAULT"));
    return Buffer.concat([Buffer.from("("), separated(values, ", "), Buffer.from(")")]);
  });
  const parts: Buffer[] = [];
  for (let at = 0; at < tuples.length; at += form.rowsPerInsert) {
    const several = form.rowsPerInsert > 1;
    const group = separated(tuples.slice(at, at + form.rowsPerInsert), ",\n\t");
    parts.push(Buffer.from(head + (several ? "\n\t" : " ")), group, Buffer.from(end));
  }
  return Buffer.concat([...parts, Buffer.from("\n\n")]);
}

async function* cut(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

const awkward = fc.constantFrom(
  "'",
  "\\",
  "\n",
  "\t",
  "\r",
  "\\.",
  "\\N",
  "''",
  ");",
  "VALUES (",
  "INSERT",
  "\b\v\f",
  ",",
  "$$",
);
const anyBytes = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0)));
const text = fc
  .array(
    fc.oneof(
      awkward.map((part) => Buffer.from(part)),
      anyBytes,
    ),
    { maxLength: 6 },
  )
  .map((parts) => Buffer.concat(parts));
/** Two-byte characters with any later byte that SJIS allows, 0x5c above all. */
const sjisText = fc
  .array(fc.oneof(awkward, fc.constantFrom("\x95\x5c", "\x83\x5c", "\xe0\x40", "\xb1", "\x81\x7e", "a")), {
    maxLength: 12,
  })
  .map((parts) => Buffer.from(parts.join(""), "latin1"));
const bare = fc.constantFrom("0", "-1", "9223372036854775807", "10.50", "1e+308", "-0.01", "true", "false");
const form = fc.record({
  names: fc.boolean(),
  rowsPerInsert: fc.integer({ min: 1, max: 3 }),
  onConflict: fc.boolean(),
  standardConformingStrings: fc.boolean(),
  overriding: fc.boolean(),
  generated: fc.boolean(),
});

for (const sjis of [false, true]) {
  it(`${sjis ? "SJIS" : "any bytes"}`, async () => {
    const value: fc.Arbitrary<Value> = fc.oneof(
      (sjis ? sjisText : text).map((bytes) => ({ text: bytes })),
      bare.map((digits) => ({ bare: digits })),
      fc.constant(null),
    );
    const rows = fc
      .integer({ min: 1, max: 5 })
      .chain((columns) => fc.array(fc.array(value, { minLength: columns, maxLength: columns }), { maxLength: 7 }));
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(rows, form, sizes, async (given, how, steps) => {
        const kept = (given[0] ?? []).map(() => 1);
        if (how.generated && !how.names) kept.splice(1, 0, 0);
        const made = new InsertRows({
          table: "s.t",
          standardConformingStrings: how.standardConformingStrings,
          leads: leadBytes(sjis ? "SJIS" : "UTF8"),
          accept: () => Uint8Array.from(kept),
        });
        const written = await joined(made.copyText(cut(statements(given, how, sjis), steps)));
        const expected = given.map((row) =>
          Buffer.concat([
            separated(
              row.map((field) => copyField(field, sjis)),
              "\t",
            ),
            Buffer.from("\n"),
          ]),
        );
        return written.equals(Buffer.concat(expected)) && made.rows === given.length;
      }),
      { numRuns: 300 },
    );
  });
}
