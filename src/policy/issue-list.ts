/** One refusal for everything that is wrong: the reader fixes a file once, not once per run. */

/** How many issues a message spells out; the rest are counted. */
const LISTED = 50;

/** `headline` and one indented line per issue, at most 50 of them. Line breaks inside an issue are flattened. */
export function issueList(headline: string, issues: readonly string[]): string {
  const lines = issues.slice(0, LISTED).map((issue) => `  ${issue.replace(/[\r\n]+/g, " ")}`);
  if (issues.length > LISTED) {
    lines.push(`  and ${issues.length - LISTED} more`);
  }
  return [`${headline}:`, ...lines].join("\n");
}

/** `1 problem`, `3 problems`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
