/** The last check must find what the filter should not have let through: rows are put into the target behind its back. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinyArchive, tinyPlan } from "../erasure/testing/tiny-dump.ts";
import { countSurvivors } from "./survivors.ts";
import { dropDatabases, freshName, serverUrl, withConnection } from "./testing/real-server.ts";

const database = freshName("survivors");
const old = "2026-01-02 03:04:05+00";

describe.skipIf(serverUrl === null)("survivors", () => {
  beforeAll(async () => {
    await withConnection("postgres", (server) => server.run(`CREATE DATABASE ${database}`, "test"));
    await withConnection(database, (inside) =>
      inside.run(
        "CREATE TABLE users (id bigint, email text, created_at timestamptz); CREATE TABLE notes (id int, user_id bigint)",
        "test",
      ),
    );
  });
  afterAll(() => dropDatabases([database]));

  it("are found by key and by reference, whatever the spelling, and nobody else is", async () => {
    const archive = await tinyArchive([
      {
        name: "users",
        columns: ["id bigint NOT NULL", "email text", "created_at timestamp with time zone"],
        rows: [[901, "jan@voorbeeld.nl", old]],
      },
      {
        name: "notes",
        columns: ["id integer", "user_id bigint"],
        rows: [[1, 901]],
        foreignKeys: ["FOREIGN KEY (user_id) REFERENCES public.users(id)"],
      },
    ]);
    const policy = `version: 1
tables:
  public.users: { match: { account_id: id, email: email }, created_at: created_at, action: delete }
  public.notes: { via: public.users }`;
    const plan = await tinyPlan(archive, policy, [{ keys: { account_id: ["901"], email: ["jan@voorbeeld.nl"] } }]);
    const [users, notes] = [plan.tables.get(200)!, plan.tables.get(201)!];
    await withConnection(database, async (inside) => {
      await inside.run(
        `INSERT INTO users VALUES (5, 'eva@voorbeeld.nl', '${old}'), (901, NULL, '2030-01-01'); INSERT INTO notes VALUES (2, 5), (3, NULL)`,
        "test",
      );
      expect(await countSurvivors(inside, users, plan)).toMatchObject({ survivors: 0, values: 4 });
      expect(await countSurvivors(inside, notes, plan)).toMatchObject({ survivors: 0 });
      await inside.run(
        `INSERT INTO users VALUES (901, NULL, '${old}'), (7, 'JAN@Voorbeeld.NL', '${old}'); INSERT INTO notes VALUES (4, 901)`,
        "test",
      );
      expect(await countSurvivors(inside, users, plan)).toMatchObject({ survivors: 2 });
      expect(await countSurvivors(inside, notes, plan)).toMatchObject({ survivors: 1 });
    });
  });
});
