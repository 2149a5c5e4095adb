import { expect, test } from "vitest";
import { explainTable } from "./describe.ts";
import { parseTableName } from "./names.ts";
import { cover } from "./testing/cover.ts";
import { DumpBuilder } from "./testing/dump-builder.ts";

const dump = new DumpBuilder()
  .table("public.users", "id bigint, email text, made timestamp with time zone")
  .table("public.reviews", "id bigint, user_id bigint, body text, data jsonb, kind text, avatar oid, phone text")
  .table("public.replies", "id bigint, review_id bigint")
  .table("public.courses", "id bigint")
  .table("public.views", "id bigint")
  .schemaOnly("public.empty", "(id bigint)")
  .foreignKey("public.reviews", "fk", "user_id", "public.users", "id")
  .foreignKey("public.replies", "fk2", "review_id", "public.reviews", "id");

const explain = async (name: string): Promise<string> =>
  explainTable(
    await cover(
      [
        "public.users: { match: { account_id: id }, created_at: made, action: delete }",
        'public.reviews: { match: { account_id: { column: user_id, when: { kind: User } }, email: { column: data, path: "$.by[0].mail" } }, scope: reviews, no_time: keep, action: anonymise, set: { user_id: { value: 1 }, data: null, body: { redact: [email] } }, pending: { set: { kind: { value: hidden } } }, large_objects: [avatar] }',
        "public.replies: { via: public.reviews }",
        "public.courses: unaffected",
        "public.views: skip_data",
        "public.empty: unaffected",
      ],
      dump,
    ),
    parseTableName(name),
  );

test("a rule, in sentences", async () => {
  expect(await explain("public.reviews")).toBe(
    [
      "public.reviews (policy.yaml:5:3)",
      "A row matches a request when account_id equals user_id and kind is 'User'.",
      "A row matches a request when email equals data at $.by[0].mail.",
      "A row is met when user_id refers to a row of public.users (id) that goes (foreign key).",
      "There is no time to compare with the cut-off: a matching row is kept.",
      "Scope: reviews.",
      "Such a row is restored with these changes:",
      "  user_id: the fixed value 1",
      "  data: null",
      "  body: free of email",
      "While a request is still pending, the row is restored with these changes:",
      '  kind: the fixed value "hidden"',
      "Large objects named by avatar go with it, unless a row that stays refers to them.",
      "Rows of public.replies follow.",
      "Note: public.reviews column phone looks like personal data (phone) and no rule names it.",
    ].join("\n"),
  );
});

test.each([
  ["public.users", "Only rows whose made is not after the cut-off match; one without a time stops the run."],
  ["public.users", "Such a row is not restored."],
  ["public.replies", "A row is met when review_id refers to a row of public.reviews (id) that goes (via)."],
  ["public.courses", "Every row is restored as it is."],
  ["public.views", "none of its rows are"],
  ["public.empty", "public.empty has no data in this dump."],
  ["public.nobody", "public.nobody is neither in the policy nor in the dump."],
])("%s: %s", async (name, sentence) => {
  expect(await explain(name)).toContain(sentence);
});
