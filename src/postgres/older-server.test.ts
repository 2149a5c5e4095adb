import { describe, expect, it } from "vitest";
import { defnForServer } from "./older-server.ts";
import { tocEntry } from "./testing/toc.ts";

const START = "CREATE SUBSCRIPTION sub CONNECTION 'run_as_owner = true, x' PUBLICATION p WITH (connect = false";

describe("defnForServer", () => {
  it.each([
    [`${START}, slot_name = NONE, run_as_owner = true);\n`, 150018, `${START}, slot_name = NONE);\n`],
    [`${START}, run_as_owner = true, streaming = off);\n`, 120000, `${START}, streaming = off);\n`],
    [`${START}, run_as_owner = true);\n`, 160000, `${START}, run_as_owner = true);\n`],
    [`${START}, run_as_owner = false);\n`, 150000, `${START}, run_as_owner = false);\n`],
    [`${START}, password_required = false);\n`, 150000, `${START}, password_required = false);\n`],
  ])("%s on %d", (defn, version, expected) => {
    expect(defnForServer(tocEntry({ desc: "SUBSCRIPTION", defn }), version)).toBe(expected);
  });
});
