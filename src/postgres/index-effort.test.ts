import { describe, expect, it } from "vitest";
import { columnTypes, indexEffort } from "./index-effort.ts";

const types = columnTypes(`CREATE TABLE public.t (
    id bigint NOT NULL,
    "E mail" text,
    at timestamp with time zone DEFAULT now(),
    body public.citext
);
`);

describe("the effort of an index", () => {
  it("knows column types from CREATE TABLE", () => {
    expect([...types.keys()]).toEqual(["id", '"E mail"', "at", "body"]);
  });

  it("is in the order of what PostgreSQL takes for it", () => {
    const on = (list: string, method = "btree"): number =>
      indexEffort(`CREATE INDEX i ON public.t USING ${method} (${list});`, types);
    expect(on("id")).toBe(indexEffort("ALTER TABLE ONLY public.t\n    ADD CONSTRAINT p PRIMARY KEY (id);\n", types));
    expect(on("at")).toBe(on("id"));
    expect(on('"E mail"')).toBeGreaterThan(on("id, at"));
    expect(on("body DESC")).toBe(on('"E mail"'));
    expect(on("md5(body)")).toBeGreaterThan(on("body"));
    expect(on("lower(body), id")).toBeGreaterThan(on("lower(body)"));
    expect(on("body", "gin")).toBeGreaterThan(on("md5(body)"));
    expect(on("id) INCLUDE (body")).toBe(on("id"));
  });
});
