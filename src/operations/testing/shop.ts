/** A small shop as a real database, its policy, its requests, and by hand the SQL that a restore must amount to. */
export const shopSchema = `
CREATE TABLE users (id bigint PRIMARY KEY, email text, phone text, name text, created_at timestamptz NOT NULL);
CREATE TABLE providers (id int PRIMARY KEY, name text);
CREATE TABLE reviews (id int PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, author_name text, body text,
  ip inet, created_at timestamptz NOT NULL);
CREATE TABLE leads (id int PRIMARY KEY, user_id bigint REFERENCES users, email text, provider_id int REFERENCES providers,
  restricted boolean DEFAULT false, created_at timestamptz NOT NULL);
CREATE TABLE lead_notes (id int PRIMARY KEY, lead_id int NOT NULL REFERENCES leads ON DELETE RESTRICT, body text);
CREATE TABLE lead_note_files (id int PRIMARY KEY, note_id int NOT NULL REFERENCES lead_notes, content bytea);
CREATE TABLE comments (id int PRIMARY KEY, parent_id int REFERENCES comments, user_id bigint REFERENCES users, body text);
CREATE TABLE "Odd ""table""
name" ("Kéy 1" text, "new
line" text, "a$1" int);
CREATE TABLE events (id serial PRIMARY KEY, at timestamptz NOT NULL, payload jsonb NOT NULL);
CREATE TABLE invoices (id int PRIMARY KEY, user_id bigint REFERENCES users, total numeric(10,2));
CREATE TABLE sessions (token text PRIMARY KEY, user_id bigint);
CREATE TABLE nothing ();
CREATE TABLE empty_one (a int, b text);
CREATE INDEX leads_email ON leads (lower(email));
CREATE VIEW open_leads AS SELECT id, email FROM leads WHERE NOT restricted;
CREATE MATERIALIZED VIEW review_counts AS SELECT user_id, count(*) AS n FROM reviews GROUP BY 1;
COMMENT ON TABLE leads IS 'who wants what';

INSERT INTO users SELECT g, 'user' || g || '@example.org', '06' || lpad((10000000 + g)::text, 8, '0'), 'Name' || g,
  '2026-01-01 00:00:00+00'::timestamptz + g * interval '1 minute' FROM generate_series(1, 2000) g;
UPDATE users SET email = 'Canary.Jan@Voorbeeld.NL', name = 'Canaryjan de Vries' WHERE id = 901;
UPDATE users SET email = NULL WHERE id % 97 = 0;
INSERT INTO providers SELECT g, 'provider ' || g FROM generate_series(1, 20) g;
INSERT INTO reviews SELECT g, 1 + g % 2000, 'Name' || (1 + g % 2000), E'tab\\t back\\\\slash \\\\. newline\\n mail user'
  || (1 + g % 2000) || '@example.org of bel 0612345678 ' || g, '192.0.2.1', '2026-05-17 10:11:12.5+00' FROM generate_series(1, 5000) g;
INSERT INTO leads SELECT g, CASE WHEN g % 3 = 0 THEN NULL ELSE 1 + g % 2000 END,
  CASE WHEN g % 3 = 0 THEN 'user' || (1 + g % 2000) || '@EXAMPLE.org' END, 1 + g % 20, false, '2026-06-01 00:00:00+00' FROM generate_series(1, 6000) g;
INSERT INTO leads VALUES (9001, NULL, 'canary.jan@voorbeeld.nl', 1, false, '2026-06-01 00:00:00+00'),
  (9002, NULL, 'canary.jan@voorbeeld.nl', 1, false, '2036-06-01 00:00:00+00');
INSERT INTO lead_notes SELECT g, 1 + g % 6000, repeat('x', g % 50) FROM generate_series(1, 12000) g;
INSERT INTO lead_notes VALUES (90001, 9001, 'bel canary terug');
INSERT INTO lead_note_files SELECT g, 1 + g % 12000, decode(md5(g::text), 'hex') FROM generate_series(1, 8000) g;
INSERT INTO lead_note_files VALUES (90001, 90001, '\\x00');
INSERT INTO comments SELECT g, CASE WHEN g > 10 THEN g / 2 END, 1 + g % 2000, 'c' || g FROM generate_series(1, 4000) g;
INSERT INTO "Odd ""table""
name" VALUES ('\\.', E'\\\\N', 1), (NULL, E'a\\tb\\r\\n', 2), ('', '', NULL);
INSERT INTO events (at, payload) SELECT '2026-06-01 00:00:00+00', jsonb_build_object('user', jsonb_build_object('id', 1 + g % 2000), 'n', g) FROM generate_series(1, 3000) g;
INSERT INTO invoices SELECT g, 1 + g % 2000, g * 1.1 FROM generate_series(1, 1000) g;
INSERT INTO sessions SELECT md5(g::text), g FROM generate_series(1, 100) g;
INSERT INTO nothing SELECT FROM generate_series(1, 3);
SELECT lo_from_bytea(700001, 'large'), lo_from_bytea(700002, '');
REFRESH MATERIALIZED VIEW review_counts;
`;

export const shopPolicy = `version: 1
subject: { table: public.users, account_id: id, email: email, phone: phone, name: name }
tables:
  public.users: { match: { account_id: id, email: email }, scope: identity, created_at: created_at, action: delete }
  public.reviews:
    match: { account_id: user_id }
    scope: reviews
    created_at: created_at
    action: anonymise
    set: { user_id: { value: 1 }, author_name: null, ip: null, body: { redact: [email, phone, names] }, created_at: { truncate: month } }
  public.leads: { match: { account_id: user_id, email: email }, scope: identity, created_at: created_at, action: delete }
  public.lead_notes: { via: public.leads }
  public.lead_note_files: { via: public.lead_notes }
  public.comments: { match: { account_id: user_id }, via: public.comments, no_time: erase, action: delete }
  '"public"."Odd ""table""\\nname"': unaffected
  public.events: { match: { account_id: { column: payload, path: "$.user.id" } }, scope: identity, created_at: at, action: delete }
  public.invoices: { match: { account_id: user_id }, no_time: erase, action: retain, basis: "Art. 17(3)(b)", for: 7y, set: { user_id: null } }
  public.providers: unaffected
  public.sessions: skip_data
  public.nothing: unaffected
  public.empty_one: unaffected
`.replace(`'"public"."Odd ""table""\\nname"'`, `"\\"public\\".\\"Odd \\"\\"table\\"\\"\\nname\\""`);

/** Accounts 7 and 901 by id, 13 by an address in another spelling; one request that meets nobody. */
export const shopRequests: readonly object[] = [
  { request_id: "11111111-1111-4111-8111-111111111111", keys: { account_id: ["901"] } },
  { request_id: "22222222-2222-4222-8222-222222222222", keys: { account_id: ["7"] } },
  { request_id: "33333333-3333-4333-8333-333333333333", keys: { email: [" USER13@Example.ORG"] } },
  { request_id: "44444444-4444-4444-8444-444444444444", keys: { email: ["nobody@nowhere.example"] } },
];

/** What the policy and the requests mean, written by hand for a database that pg_restore has restored whole. */
export const shopErasure = `
SET session_replication_role = replica;
CREATE TEMP TABLE gone AS SELECT id, email FROM users WHERE id IN (901, 7, 13);
UPDATE invoices SET user_id = NULL WHERE user_id IN (SELECT id FROM gone);
UPDATE reviews SET user_id = 1, author_name = NULL, ip = NULL, created_at = date_trunc('month', created_at, 'UTC'),
  body = replace(regexp_replace(body, 'user\\d+@example.org', '[redacted]'), '0612345678', '[redacted]')
  WHERE user_id IN (SELECT id FROM gone);
DELETE FROM leads WHERE created_at < '2030-01-01' AND
  (user_id IN (SELECT id FROM gone) OR lower(email) IN (SELECT lower(email) FROM gone));
DELETE FROM lead_notes n WHERE NOT EXISTS (SELECT FROM leads l WHERE l.id = n.lead_id);
DELETE FROM lead_note_files f WHERE NOT EXISTS (SELECT FROM lead_notes n WHERE n.id = f.note_id);
WITH RECURSIVE doomed AS (SELECT id FROM comments WHERE user_id IN (SELECT id FROM gone)
  UNION SELECT c.id FROM comments c JOIN doomed d ON c.parent_id = d.id) DELETE FROM comments WHERE id IN (SELECT id FROM doomed);
DELETE FROM events WHERE (payload #>> '{user,id}')::bigint IN (SELECT id FROM gone);
DELETE FROM users WHERE id IN (SELECT id FROM gone);
DELETE FROM sessions;
DROP TABLE gone;
SET session_replication_role = DEFAULT;
REFRESH MATERIALIZED VIEW review_counts;
`;

/** Texts of the erased people that must be nowhere outside the backup. */
export const canaries: readonly RegExp[] = [/canary/i, /voorbeeld\.nl/i, /user13@/i, /0610000901/];
