/**
 * Deterministic pools that rows are put together from: a row costs a few look-ups, so that a gigabyte takes seconds.
 * Texts stand as COPY's text format wants them (backslash, tab and line ends escaped).
 */

/** Xorshift (Marsaglia 2003), 32 bits: small, quick, and the same on every machine. */
export class Random {
  private state: number;

  constructor(seed: number) {
    // Neighbouring seeds must not give neighbouring streams, and zero would stay zero.
    this.state = Math.imul(seed + 0x9e3779b9, 0x85ebca6b) | 1;
    for (let warm = 0; warm < 8; warm++) {
      this.next();
    }
  }

  /** 0 to 2^32-1. */
  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x >>> 0;
  }

  /** 0 to `limit`-1. */
  below(limit: number): number {
    return this.next() % limit;
  }

  pick<T>(pool: readonly T[]): T {
    return pool[this.next() % pool.length] as T;
  }
}

export const firstNames = [
  "Jan",
  "Sanne",
  "Pieter",
  "Femke",
  "Daan",
  "Lotte",
  "Thijs",
  "Noor",
  "Bram",
  "Fleur",
  "Sjoerd",
  "Maud",
  "Youssef",
  "Fatima",
  "Joris",
  "Anouk",
  "Ruben",
  "Eva",
  "Gijs",
  "Zoë",
  "Cas",
  "Naïma",
  "Mees",
  "Roos",
  "Okke",
  "Floor",
  "Ömer",
  "Iris",
  "Teun",
] as const;
export const lastNames = [
  "de Vries",
  "Jansen",
  "van den Berg",
  "Bakker",
  "van Dijk",
  "Visser",
  "Smit",
  "Meijer",
  "de Boer",
  "Mulder",
  "de Groot",
  "Bos",
  "Vos",
  "Peters",
  "Hendriks",
  "van Leeuwen",
  "Dekker",
  "Brouwer",
  "de Wit",
  "Dijkstra",
  "Smits",
  "El Amrani",
  "Yılmaz",
  "van 't Hof",
  "Kok",
  "Jacobs",
  "de Haan",
  "Vermeulen",
  "van der Veen",
] as const;
export const cities = [
  "Utrecht",
  "Groningen",
  "Den Haag",
  "'s-Hertogenbosch",
  "Zwolle",
  "Súdwest-Fryslân",
  "Breda",
  "\\N",
  "Nijmegen",
] as const;
export const topics = [
  "Excel voor gevorderden",
  "Timmeren",
  "Fotografie",
  "NT2 Nederlands",
  "Python",
  "Projectmanagement (PRINCE2®)",
  "BHV",
  "Lassen",
  "Mindfulness",
  "Boekhouden",
  "Spaans",
  "UX-design",
  "Hovenier",
  "Café-barista",
  "AVG in de praktijk",
  "Rijbewijs C",
] as const;

const phrases = [
  "Heel goede cursus, aanrader!",
  "De docent had veel geduld.",
  "Kan ik ook in de avond komen?",
  "Graag een offerte voor vijf personen.",
  "Te veel theorie, te weinig praktijk.",
  "Locatie was prima bereikbaar met het OV.",
  'Mijn chef zei: "doen!"',
  "Prijs/kwaliteit klopt, 8½.",
  "Zie C:\\cursus\\map voor de hand-outs.",
  "Ik twijfel nog over de startdatum…",
  "Bel mij gerust ná 18:00.",
  "👍 top",
  "l'après-midi kan ook",
  "Er stond 10% korting in de nieuwsbrief; geldt die nog?",
  "De stof sluit goed aan op mijn werk.",
  "Ωμέγα stond niet op het programma.",
] as const;
const separators = [" ", " ", " ", "\n", "\n\n", "\t", "\r\n"] as const;

/** COPY's escapes of its text format (CopyAttributeOutText in copyto.c). */
export function escapeCopy(text: string): string {
  return text.replace(/[\\\t\n\r\b\f\v]/g, (character) => {
    const at = "\\\t\n\r\b\f\v".indexOf(character);
    return `\\${"\\tnrbfv"[at]}`;
  });
}

/** `count` texts of one to eight phrases; now and then an empty one, or one that looks like COPY's own end mark. */
export function textPool(random: Random, count: number): string[] {
  const texts = ["", escapeCopy("\\."), escapeCopy("\\N"), "NULL"];
  while (texts.length < count) {
    let text: string = random.pick(phrases);
    for (let more = random.below(8); more > 0; more--) {
      text += random.pick(separators) + random.pick(phrases);
    }
    texts.push(escapeCopy(text));
  }
  return texts;
}

const DAY_MS = 86_400_000;

/** Times of the three years before `until`, as PostgreSQL writes timestamptz in UTC. */
export class PastTimes {
  static readonly days = 3 * 365;
  private readonly dates: readonly string[];
  private readonly clocks: readonly string[];

  constructor(random: Random, until: Date) {
    // A whole day's distance, so that no time of day passes the snapshot.
    const dates = Array.from({ length: PastTimes.days }, (_, day) =>
      new Date(until.getTime() - (day + 1) * DAY_MS).toISOString().slice(0, 10),
    );
    this.dates = dates;
    this.clocks = Array.from({ length: 4096 }, () => {
      const clock = new Date(random.below(DAY_MS)).toISOString().slice(11, 19);
      const fraction =
        random.below(4) === 0 ? "" : `.${1 + random.below(9)}${1 + random.below(99_999)}`.replace(/0+$/, "");
      return `${clock}${fraction}+00`;
    });
  }

  timestamp(random: Random): string {
    return `${this.date(random)} ${random.pick(this.clocks)}`;
  }

  date(random: Random): string {
    return random.pick(this.dates);
  }
}

/** A time as PostgreSQL writes it in UTC, whole seconds. */
export function timestampOf(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace("T", " ")}+00`;
}
