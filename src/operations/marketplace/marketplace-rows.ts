/**
 * Owns the marketplace's rows: deterministic for a seed, referentially whole, made as batches of COPY text.
 *
 * What a row says of another one (a lead of its user's address) is computed from the other's number, so nothing is kept.
 * The known people's rows stand in the middle of each table.
 */

import type { People } from "./marketplace-people.ts";
import { firstAvatar, firstGeneratedId } from "./marketplace-person.ts";
import { type MarketplaceTable, marketplaceTableNames } from "./marketplace-tables.ts";
import { cities, firstNames, lastNames, PastTimes, Random, textPool, topics } from "./random-texts.ts";

/** Shares of all rows; events take what is left. */
const shares: Readonly<Partial<Record<MarketplaceTable, number>>> = {
  users: 0.1,
  providers: 0.004,
  courses: 0.02,
  reviews: 0.12,
  review_replies: 0.04,
  leads: 0.12,
  lead_notes: 0.1,
  lead_note_files: 0.02,
  messages: 0.12,
  invoices: 0.05,
  sessions: 0.01,
};
/** Known rows refer to the first of these. */
const smallest = 10;
const batchBytes = 256 * 1024;
const mostAvatars = 500;

/** Rows to generate beside the known ones, by table. */
export function rowCounts(total: number, people: People): Record<MarketplaceTable, number> {
  const known = Object.values(people.lines).reduce((sum, lines) => sum + lines.length, 0);
  const counts = {} as Record<MarketplaceTable, number>;
  let left = total - known;
  for (const table of Object.keys(shares) as MarketplaceTable[]) {
    counts[table] = Math.max(smallest, Math.floor(total * (shares[table] ?? 0)));
    left -= counts[table];
  }
  counts.events = Math.max(smallest, left);
  return counts;
}

/** Makes one row's fields after the id, COPY text, line end included. */
type RowMaker = (id: number) => string;

/** Generator of all tables of one marketplace. Each table has a random stream of its own: any may be made alone. */
export class MarketplaceRows {
  private readonly people: People;
  private readonly counts: Readonly<Record<MarketplaceTable, number>>;
  private readonly seed: number;
  private readonly times: PastTimes;
  private readonly texts: readonly string[];

  constructor(people: People, counts: Readonly<Record<MarketplaceTable, number>>, seed: number, snapshot: Date) {
    this.people = people;
    this.counts = counts;
    this.seed = seed;
    const random = new Random(seed);
    this.times = new PastTimes(random, snapshot);
    this.texts = textPool(random, 2048);
  }

  /** Large objects, known people's first. */
  avatars(): number[] {
    const generated = Math.min(mostAvatars, Math.ceil(this.counts.users / 50));
    const known = Object.keys(this.people.people).length;
    return Array.from({ length: known + generated }, (_, index) => firstAvatar + index);
  }

  async *avatar(oid: number): AsyncGenerator<Buffer> {
    const random = new Random(this.seed + oid);
    const image = Buffer.alloc(2048 + random.below(8192));
    for (let at = 0; at + 4 <= image.length; at += 4) {
      image.writeUInt32LE(random.next(), at);
    }
    image.write("\x89PNG\r\n\x1a\n", "latin1");
    yield image;
  }

  /** Batches of about 256 KiB, COPY's end mark last. */
  async *table(table: MarketplaceTable): AsyncGenerator<Buffer> {
    const first = firstId(table);
    const count = this.counts[table];
    const knownAt = first + Math.floor(count / 2);
    const random = new Random(this.seed * 31 + marketplaceTableNames.indexOf(table));
    const make = this.maker(table, random);
    let batch = "";
    for (let id = first; id < first + count; id++) {
      if (id === knownAt) {
        batch += this.people.lines[table].join("");
      }
      batch += make(id);
      if (batch.length >= batchBytes) {
        yield Buffer.from(batch);
        batch = "";
      }
    }
    yield Buffer.from(`${batch}\\.\n\n\n`);
  }

  private maker(table: MarketplaceTable, random: Random): RowMaker {
    const { times, texts, counts } = this;
    const text = (): string => random.pick(texts);
    const time = (): string => times.timestamp(random);
    const some = (other: MarketplaceTable): number => firstId(other) + random.below(counts[other]);
    const avatars = this.avatars().length - Object.keys(this.people.people).length;
    const makers: Record<MarketplaceTable, RowMaker> = {
      users: (id) => {
        const nth = id - firstGeneratedId;
        const avatar = nth < avatars ? String(firstAvatar + Object.keys(this.people.people).length + nth) : "\\N";
        const changing = id % 50 === 0 ? `nieuw.${emailOf(id)}` : "\\N";
        return `${id}\t${emailOf(id)}\t${changing}\t${phoneOf(id)}\t${nameOf(id)}\t${random.pick(cities)}\t${avatar}\t${time()}\n`;
      },
      providers: (id) =>
        `${id}\t${random.pick(topics)} Instituut ${id}\tinfo@aanbieder${id}.example\t088-${1_000_000 + (id % 9_000_000)}\tUtrecht\t${time()}\n`,
      courses: (id) => {
        const starts = id % 3 === 0 ? "\\N" : times.date(random);
        return `${id}\t${some("providers")}\t${random.pick(topics)} ${id}\t${text()}\t${price(random)}\t${starts}\t${time()}\n`;
      },
      reviews: (id) => {
        const user = some("users");
        const ip = `10.${random.below(256)}.${random.below(256)}.${random.below(256)}`;
        return `${id}\t${some("courses")}\t${user}\t${nameOf(user)}\t${1 + random.below(5)}\t${text()}\t${ip}\t${time()}\n`;
      },
      review_replies: (id) => `${id}\t${some("reviews")}\t${some("providers")}\t${text()}\t${time()}\n`,
      leads: (id) => {
        const user = some("users");
        // Four in ten fill in the form without logging in, some in capitals as a telephone likes to begin a word.
        const account = id % 5 < 2 ? "\\N" : String(user);
        const email = id % 7 === 0 ? capitalised(emailOf(user)) : emailOf(user);
        const who = `${account}\t${nameOf(user)}\t${email}\t${phoneOf(user)}`;
        return `${id}\t${some("courses")}\t${some("providers")}\t${who}\t${text()}\t${random.pick(leadStates)}\tf\t${time()}\n`;
      },
      lead_notes: (id) => `${id}\t${some("leads")}\t${text()}\t${time()}\n`,
      lead_note_files: (id) => `${id}\t${some("lead_notes")}\toffertè ${id}.pdf\t\\\\x${hex(random, 24)}\n`,
      messages: (id) => {
        const subject = id % 4 === 0 ? "\\N" : random.pick(topics);
        return `${id}\t${some("users")}\t${some("providers")}\t${subject}\t${text()}\t${time()}\n`;
      },
      invoices: (id) => {
        const user = some("users");
        const account = id % 10 === 0 ? "\\N" : String(user);
        return `${id}\t2026-${100_000 + id}\t${some("providers")}\t${account}\t${nameOf(user)}\t${emailOf(user)}\t${price(random)}\t${time()}\n`;
      },
      events: (id) => `${id}\t${random.pick(eventKinds)}\t${eventPayload(id, some("users"), random)}\t${time()}\n`,
      sessions: (id) => `${hex(random, 4)}-${id}\t${some("users")}\t${time()}\n`,
    };
    return makers[table];
  }
}

const leadStates = ["new", "sent", "won", "lost"] as const;
const eventKinds = ["page", "search", "click", "signup", "checkout"] as const;

/** Number of a table's first generated row. */
export function firstId(table: MarketplaceTable): number {
  return table === "providers" || table === "courses" ? 1 : firstGeneratedId;
}

/** A person's details follow from the number alone, spread by a multiplicative hash. */
function nameOf(id: number): string {
  const hash = Math.imul(id, 0x9e3779b1) >>> 0;
  return `${firstNames[hash % firstNames.length]} ${lastNames[(hash >>> 8) % lastNames.length]}`;
}

const mailNames = firstNames.map((name) =>
  name
    .normalize("NFD")
    .replace(/[^A-Za-z]/g, "")
    .toLowerCase(),
);
const mailDomains = [
  "post.example",
  "voorbeeld.example",
  "bedrijf.example",
  "school.example",
  "bücher.example",
] as const;

function emailOf(id: number): string {
  const hash = Math.imul(id, 0x9e3779b1) >>> 0;
  return `${mailNames[hash % mailNames.length]}.${id}@${mailDomains[(hash >>> 16) % mailDomains.length]}`;
}

function capitalised(email: string): string {
  return email.charAt(0).toUpperCase() + email.slice(1);
}

/** Dutch mobile numbers in the spellings people use; one in eight has none. */
function phoneOf(id: number): string {
  const digits = String(10_000_000 + ((Math.imul(id, 0x85ebca6b) >>> 0) % 9_000_000));
  switch (id & 7) {
    case 0:
      return "\\N";
    case 1:
      return `+316${digits}`;
    case 2:
      return `06-${digits}`;
    case 3:
      return `06 ${digits.slice(0, 4)} ${digits.slice(4)}`;
    default:
      return `06${digits}`;
  }
}

function price(random: Random): string {
  return `${20 + random.below(2500)}.${10 + random.below(90)}`;
}

function hex(random: Random, words: number): string {
  let digits = "";
  for (let word = 0; word < words; word++) {
    digits += (0x1_0000_0000 + random.next()).toString(16).slice(1);
  }
  return digits;
}

/** Keys in jsonb's order (by length, then by bytes) and spacing. JSON's backslashes are doubled for COPY. */
function eventPayload(id: number, user: number, random: Random): string {
  const path = `"path": "/cursussen/${random.below(20_000)}"`;
  switch (id & 3) {
    case 0:
      return `{${path}, "user": null, "agent": "Mozilla/5.0 (X11; Linux x86_64)"}`;
    case 1:
      return `{"q": "\\\\"${random.pick(topics)}\\\\" in de buurt", ${path}, "user": {"id": ${user}}}`;
    default:
      return `{${path}, "user": {"id": ${user}, "email": "${emailOf(user)}"}, "agent": "Mozilla/5.0 (iPhone)"}`;
  }
}
