import { describe, expect, it } from "vitest";
import { ArchiveDamaged } from "../errors.ts";
import { createDatabase, databaseOptions, databaseStatements, renameDatabase } from "./database-entry.ts";
import { tocEntry } from "./testing/toc.ts";

function create(defn: string, serverVersion: number): string {
  return createDatabase("side", databaseOptions(tocEntry({ desc: "DATABASE", defn })), serverVersion);
}

describe("createDatabase", () => {
  // How each generation of pg_dump spells it.
  const libc10 =
    "CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = 'UTF8' LC_COLLATE = 'nl_NL.UTF-8' LC_CTYPE = 'C';\n";
  const libc15 =
    "CREATE DATABASE fmt WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C.UTF-8';\n";
  const icu15 = `CREATE DATABASE "x y" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'C' ICU_LOCALE = 'nl-NL';`;
  const icu16 = `CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'C' ICU_LOCALE = 'und' ICU_RULES = '&V << w';`;
  const builtin17 = `CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = builtin LOCALE = 'C' BUILTIN_LOCALE = 'C.UTF-8' TABLESPACE = "fast disks";`;

  it.each([
    [libc10, 100000, "ENCODING = 'UTF8' LC_COLLATE = 'nl_NL.UTF-8' LC_CTYPE = 'C'"],
    [libc10, 180000, "ENCODING = 'UTF8' LC_COLLATE = 'nl_NL.UTF-8' LC_CTYPE = 'C'"],
    [libc15, 150018, "ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C.UTF-8'"],
    [libc15, 140000, "ENCODING = 'UTF8' LOCALE = 'C.UTF-8'"],
    [libc15, 120000, "ENCODING = 'UTF8' LC_COLLATE = 'C.UTF-8' LC_CTYPE = 'C.UTF-8'"],
    [icu15, 150000, "ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'C' ICU_LOCALE = 'nl-NL'"],
    [icu15, 140000, "ENCODING = 'UTF8' LOCALE = 'C'"],
    [icu16, 160000, "ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'C' ICU_LOCALE = 'und' ICU_RULES = '&V << w'"],
    [icu16, 150000, "ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'C' ICU_LOCALE = 'und'"],
    [
      builtin17,
      170000,
      `ENCODING = 'UTF8' LOCALE_PROVIDER = builtin LOCALE = 'C' BUILTIN_LOCALE = 'C.UTF-8' TABLESPACE = "fast disks"`,
    ],
    [builtin17, 160000, `ENCODING = 'UTF8' LOCALE = 'C' TABLESPACE = "fast disks"`],
  ])("%s on %d", (defn, version, options) => {
    expect(create(defn, version)).toBe(`CREATE DATABASE "side" WITH TEMPLATE = template0 ${options}`);
  });

  it("makes a database without a DATABASE entry, and one whose locale is ignored", () => {
    expect(createDatabase("side", databaseOptions(null), 150000)).toBe(
      'CREATE DATABASE "side" WITH TEMPLATE = template0',
    );
    const options = databaseOptions(tocEntry({ desc: "DATABASE", defn: icu15 }));
    expect(createDatabase("side", options, 180000, true)).toBe(
      `CREATE DATABASE "side" WITH TEMPLATE = template0 ENCODING = 'UTF8' LC_COLLATE = 'C' LC_CTYPE = 'C'`,
    );
  });

  it.each(["DROP DATABASE x;", "CREATE DATABASE x WITH = 3;", "CREATE DATABASE x ENCODING = ;"])(
    "refuses %s",
    (defn) => {
      expect(() => create(defn, 150000)).toThrow(ArchiveDamaged);
    },
  );
});

describe("renameDatabase", () => {
  it.each([
    ["ALTER DATABASE shop SET work_mem TO '5MB';", `ALTER DATABASE "side" SET work_mem TO '5MB';`],
    ["ALTER ROLE shop IN DATABASE shop SET a TO 'shop';", `ALTER ROLE shop IN DATABASE "side" SET a TO 'shop';`],
    ["COMMENT ON DATABASE shop IS 'ALTER DATABASE shop';", `COMMENT ON DATABASE "side" IS 'ALTER DATABASE shop';`],
    ["GRANT ALL ON DATABASE shop TO shop;", `GRANT ALL ON DATABASE "side" TO shop;`],
    ["ALTER DATABASE other SET a TO b;", "ALTER DATABASE other SET a TO b;"],
    ['GRANT ALL ON DATABASE\n"shop" TO "DATABASE shop";', 'GRANT ALL ON DATABASE\n"side" TO "DATABASE shop";'],
  ])("%s", (before, after) => {
    expect(renameDatabase(before, "shop", "side")).toBe(after);
  });

  it("finds names that need quotes", () => {
    expect(renameDatabase(`COMMENT ON DATABASE "we""ird; DATABASE x" IS 'y';`, 'we"ird; DATABASE x', "s")).toBe(
      `COMMENT ON DATABASE "s" IS 'y';`,
    );
  });
});

describe("databaseStatements", () => {
  it("gives owner first, then what follows, with the name replaced", () => {
    const entries = {
      create: tocEntry({ desc: "DATABASE", tag: "shop", owner: "app", dropStmt: "DROP DATABASE shop;\n", defn: "x" }),
      followers: [tocEntry({ desc: "DATABASE PROPERTIES", tag: "shop", defn: "ALTER DATABASE shop SET a TO b;\n" })],
    };
    expect(databaseStatements(entries, "side")).toEqual([
      'ALTER DATABASE "side" OWNER TO "app";',
      'ALTER DATABASE "side" SET a TO b;\n',
    ]);
  });
});
