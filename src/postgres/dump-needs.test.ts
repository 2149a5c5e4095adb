import { describe, expect, it } from "vitest";
import { dumpNeeds, grantees } from "./dump-needs.ts";
import { tocEntry } from "./testing/toc.ts";

describe("grantees", () => {
  it.each([
    ["GRANT SELECT ON TABLE s.t TO app_reader;\n", ["app_reader"]],
    ["REVOKE ALL ON TABLE s.t FROM PUBLIC;\nGRANT ALL ON TABLE s.t TO a WITH GRANT OPTION;\n", ["a"]],
    [`GRANT SELECT(id),UPDATE(note) ON TABLE s."to" TO "weird ""role";`, ['weird "role']],
    [`GRANT ALL ON TABLE s.t TO "public";`, ["public"]],
    ["ALTER DEFAULT PRIVILEGES FOR ROLE owner_1 IN SCHEMA s GRANT SELECT ON TABLES TO reader;", ["owner_1", "reader"]],
    ["SET SESSION AUTHORIZATION a;\nGRANT ALL ON TABLE t TO b;\nRESET SESSION AUTHORIZATION;\n", ["a", "b"]],
    ["GRANT ALL ON TABLE t TO CURRENT_USER;", []],
    [`GRANT ALL ON FUNCTION s.f(a "x;TO y") TO r;`, ["r"]],
  ])("%s", (sql, roles) => {
    expect(grantees(sql).toSorted()).toEqual(roles.toSorted());
  });
});

describe("dumpNeeds", () => {
  it("collects owners, grantees, extensions and tablespaces", () => {
    const needs = dumpNeeds([
      tocEntry({ owner: "b", dropStmt: "DROP TABLE t;", tablespace: "" }),
      tocEntry({ owner: "nobody", dropStmt: null, tablespace: "fast" }),
      tocEntry({ desc: "ACL", defn: "GRANT ALL ON TABLE t TO a;" }),
      tocEntry({ desc: "EXTENSION", tag: "hstore" }),
    ]);
    expect(needs).toEqual({ roles: ["a", "b"], owners: ["b"], extensions: ["hstore"], tablespaces: ["fast"] });
  });
});
