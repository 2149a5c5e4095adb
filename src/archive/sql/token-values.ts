/**
 * What identifiers and string literals stand for. Mirrors the escapes of scan.l and parser.c (str_udeescape) of
 * PostgreSQL 18, on decoded text; the folding of names is downcase_identifier's for multi-byte encodings: ASCII only.
 */

/** A name token's text as the name it is: folded, or without its quotes; `U&"…"` decoded. */
export function identifierOf(text: string): string {
  const first = text[0];
  if (first === '"') return text.slice(1, -1).replaceAll('""', '"');
  if ((first === "U" || first === "u") && text.startsWith('&"', 1)) {
    return unicodeEscapes(text.slice(3, -1).replaceAll('""', '"'));
  }
  return /[A-Z]/.test(text) ? text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) : text;
}

/**
 * A literal token's value. `backslashes`: they escape in `'…'` too. `null` for bits, for an escape that is none, and for
 * bytes given as octal or hexadecimal beyond ASCII, whose meaning depends on the encoding.
 */
export function literalValue(text: string, backslashes: boolean): string | null {
  switch (text[0]) {
    case "'":
      return backslashes ? escaped(text.slice(1, -1)) : text.slice(1, -1).replaceAll("''", "'");
    case "$":
      return text.slice(text.indexOf("$", 1) + 1, text.lastIndexOf("$", text.length - 2));
    case "E":
    case "e":
      return escaped(text.slice(2, -1));
    case "U":
    case "u":
      return unicodeEscapes(text.slice(3, -1).replaceAll("''", "'"));
    default:
      return null;
  }
}

const LETTERS: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

function escaped(content: string): string | null {
  let sound = true;
  const value = content.replace(
    /''|'|\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))/gsu,
    (whole, octal?: string, hex?: string, four?: string, eight?: string, letter?: string) => {
      if (whole === "''") return "'";
      if (whole === "'") {
        sound = false; // the literal goes on on another line: no value that anybody needs
        return "";
      }
      if (letter !== undefined) return LETTERS[letter] ?? letter;
      const byte = octal ?? hex;
      const code = byte === undefined ? Number.parseInt(four ?? eight!, 16) : Number.parseInt(byte, octal ? 8 : 16);
      sound &&= byte === undefined ? code <= 0x10_ffff : code < 0x80;
      return sound ? String.fromCodePoint(code) : "";
    },
  );
  return sound ? value : null;
}

function unicodeEscapes(content: string): string {
  return content.replace(/\\(?:\\|\+([0-9A-Fa-f]{6})|([0-9A-Fa-f]{4}))/g, (whole, six?: string, four?: string) => {
    const code = Number.parseInt(six ?? four ?? "", 16);
    if (Number.isNaN(code)) return "\\";
    return code <= 0x10_ffff ? String.fromCodePoint(code) : whole;
  });
}
