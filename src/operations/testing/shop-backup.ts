/** The shop as a database with pictures in large objects, dumped by pg_dump; and the same without the erased, by SQL. */
import { join } from "node:path";
import { freshName, tool, tools, withConnection } from "../../postgres/testing/real-server.ts";
import { shopErasure, shopPolicy, shopSchema } from "./shop.ts";

/** Large objects that go with their row, that stay with a shared row, and one nobody refers to. */
const pictures = `
CREATE TABLE pictures (id int PRIMARY KEY, user_id bigint REFERENCES users, image oid);
SELECT lo_from_bytea(700003, decode(repeat('5a00ff', 20000), 'hex')), lo_from_bytea(4000000000, 'far');
COMMENT ON LARGE OBJECT 700001 IS 'canary in a comment';
INSERT INTO pictures VALUES (1, 7, 700001), (2, 8, 700003), (3, 901, 700003), (4, 13, 4000000000), (5, NULL, NULL);
`;
const picturesErasure = `
DELETE FROM pictures WHERE user_id IN (901, 7, 13);
SELECT lo_unlink(700001), lo_unlink(4000000000);
`;

export const picturesPolicy = `${shopPolicy}
  public.pictures: { match: { account_id: user_id }, no_time: erase, action: delete, large_objects: [image] }
`;

export interface ShopDatabases {
  readonly source: string;
  /** Made by pg_restore and cleaned by SQL written by hand. */
  readonly oracle: string;
}

/** An empty database; its name goes into `made`. */
export async function emptyDatabase(prefix: string, made: string[]): Promise<string> {
  const name = freshName(prefix);
  made.push(name);
  await withConnection("postgres", (server) => server.run(`CREATE DATABASE ${name} TEMPLATE template0`, "test"));
  return name;
}

/** Both databases; names go into `made`, files into `folder`. */
export async function makeShop(folder: string, made: string[]): Promise<ShopDatabases> {
  const source = await emptyDatabase("shop", made);
  await withConnection(source, (inside) => inside.run(shopSchema, "test"));
  await withConnection(source, (inside) => inside.run(pictures, "test"));
  const file = join(folder, "reference.dump");
  await tool(tools!.pg_dump, source, "-Fc", "-f", file);
  const oracle = await emptyDatabase("oracle", made);
  await tool(tools!.pg_restore, oracle, "--exit-on-error", file);
  await withConnection(oracle, (inside) => inside.run(shopErasure + picturesErasure, "test"));
  return { source, oracle };
}
