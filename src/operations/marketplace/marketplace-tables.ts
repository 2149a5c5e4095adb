/**
 * The tables of the made-up course marketplace, as their columns stand in CREATE TABLE and in COPY.
 *
 * Three levels of foreign keys hang below a lead (notes, files of notes), a lead itself below a user. No roles, no
 * extensions: the backup restores on any server from 12 on.
 */

export const marketplaceTables = {
  users: [
    "id bigint NOT NULL",
    "email text NOT NULL",
    "unconfirmed_email text",
    "phone text",
    "name text NOT NULL",
    "city text",
    "avatar oid",
    "created_at timestamp with time zone DEFAULT now() NOT NULL",
  ],
  providers: [
    "id integer NOT NULL",
    "name text NOT NULL",
    "email text NOT NULL",
    "phone text",
    "city text NOT NULL",
    "created_at timestamp with time zone NOT NULL",
  ],
  courses: [
    "id integer NOT NULL",
    "provider_id integer NOT NULL",
    "title text NOT NULL",
    "description text NOT NULL",
    "price numeric(10,2)",
    "starts_on date",
    "updated_at timestamp with time zone NOT NULL",
  ],
  reviews: [
    "id bigint NOT NULL",
    "course_id integer NOT NULL",
    "user_id bigint NOT NULL",
    "author_name text",
    "rating smallint NOT NULL",
    "body text",
    "ip inet",
    "created_at timestamp with time zone NOT NULL",
    "CONSTRAINT reviews_rating_check CHECK (((rating >= 1) AND (rating <= 5)))",
  ],
  review_replies: [
    "id bigint NOT NULL",
    "review_id bigint NOT NULL",
    "provider_id integer NOT NULL",
    "body text NOT NULL",
    "created_at timestamp with time zone NOT NULL",
  ],
  leads: [
    "id bigint NOT NULL",
    "course_id integer NOT NULL",
    "provider_id integer NOT NULL",
    "user_id bigint",
    "name text NOT NULL",
    "email text NOT NULL",
    "phone text",
    "message text",
    "status public.lead_status DEFAULT 'new'::public.lead_status NOT NULL",
    "restricted boolean DEFAULT false NOT NULL",
    "created_at timestamp with time zone NOT NULL",
  ],
  lead_notes: [
    "id bigint NOT NULL",
    "lead_id bigint NOT NULL",
    "body text NOT NULL",
    "created_at timestamp with time zone NOT NULL",
  ],
  lead_note_files: [
    "id bigint NOT NULL",
    "note_id bigint NOT NULL",
    "file_name text NOT NULL",
    "content bytea NOT NULL",
  ],
  messages: [
    "id bigint NOT NULL",
    "user_id bigint NOT NULL",
    "provider_id integer NOT NULL",
    "subject text",
    "body text NOT NULL",
    "sent_at timestamp with time zone NOT NULL",
  ],
  invoices: [
    "id bigint NOT NULL",
    "number text NOT NULL",
    "provider_id integer NOT NULL",
    "user_id bigint",
    "billing_name text NOT NULL",
    "billing_email text",
    "amount numeric(10,2) NOT NULL",
    "created_at timestamp with time zone NOT NULL",
  ],
  events: [
    "id bigint NOT NULL",
    "kind text NOT NULL",
    "payload jsonb NOT NULL",
    "occurred_at timestamp with time zone NOT NULL",
  ],
  sessions: ["token text NOT NULL", "user_id bigint NOT NULL", "seen_at timestamp with time zone NOT NULL"],
} as const satisfies Record<string, readonly string[]>;

export type MarketplaceTable = keyof typeof marketplaceTables;

/** In the order in which pg_dump writes them: by name. */
export const marketplaceTableNames = (Object.keys(marketplaceTables) as MarketplaceTable[]).sort();

/** Columns of the table's COPY, in order. */
export function copyColumns(table: MarketplaceTable): string[] {
  const lines: readonly string[] = marketplaceTables[table];
  return lines.filter((line) => !line.startsWith("CONSTRAINT ")).map((line) => line.slice(0, line.indexOf(" ")));
}

/** Primary keys, by table; all of one column. */
export const keyColumn = (table: MarketplaceTable): string => (table === "sessions" ? "token" : "id");
/** Their numbers come from a sequence of their own (serial), the others' from an identity column. */
export const serialTables: readonly MarketplaceTable[] = ["courses", "providers"];

export const foreignKeys: readonly [
  child: MarketplaceTable,
  column: string,
  parent: MarketplaceTable,
  onDelete?: string,
][] = [
  ["courses", "provider_id", "providers"],
  ["invoices", "provider_id", "providers"],
  ["invoices", "user_id", "users"],
  ["lead_note_files", "note_id", "lead_notes", "CASCADE"],
  ["lead_notes", "lead_id", "leads", "CASCADE"],
  ["leads", "course_id", "courses"],
  ["leads", "provider_id", "providers"],
  ["leads", "user_id", "users"],
  ["messages", "provider_id", "providers"],
  ["messages", "user_id", "users"],
  ["review_replies", "provider_id", "providers"],
  ["review_replies", "review_id", "reviews", "CASCADE"],
  ["reviews", "course_id", "courses"],
  ["reviews", "user_id", "users"],
  ["sessions", "user_id", "users", "CASCADE"],
];

export const indexes: readonly [name: string, definition: string, table: MarketplaceTable][] = [
  ["events_occurred_at_idx", "public.events USING btree (occurred_at)", "events"],
  ["events_user_idx", "public.events USING btree (((payload #>> '{user,id}'::text[])))", "events"],
  ["lead_notes_lead_id_idx", "public.lead_notes USING btree (lead_id)", "lead_notes"],
  ["leads_email_idx", "public.leads USING btree (lower(email))", "leads"],
  ["leads_provider_id_created_at_idx", "public.leads USING btree (provider_id, created_at)", "leads"],
  ["messages_user_id_idx", "public.messages USING btree (user_id)", "messages"],
  ["reviews_course_id_idx", "public.reviews USING btree (course_id)", "reviews"],
  ["users_email_key", "public.users USING btree (lower(email))", "users"],
];
