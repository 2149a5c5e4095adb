/**
 * References are followed by the text of their columns as the dump writes it. That is exact where PostgreSQL writes equal
 * values alike; where it does not (5 and 5.00, padded and unpadded characters, citext), a reference could be missed, so the
 * policy is refused.
 */
import type { TypeCatalog, TypeFacts } from "./column-types.ts";
import type { DumpTables } from "./dump-tables.ts";
import type { ErasureEdge, TableName } from "./model.ts";
import { columnLabel, tableLabel } from "./names.ts";
import type { Problems } from "./problems.ts";

/** Reports every edge whose columns may hold equal values that are written differently. */
export function checkReferenceTexts(
  edges: readonly ErasureEdge[],
  tables: DumpTables,
  types: TypeCatalog,
  problems: Problems,
): void {
  for (const edge of edges) {
    for (const [n, column] of edge.columns.entries()) {
      const referenced = edge.referenced[n]!;
      for (const child of factsOf(edge.child, column, tables, types)) {
        for (const parent of factsOf(edge.parent, referenced, tables, types)) {
          if (writtenAlike(child, parent)) continue;
          problems.add(
            edge.child,
            `column ${columnLabel(column)} (${child.full ?? "unknown type"}) refers to ${tableLabel(edge.parent)} ${columnLabel(referenced)} (${parent.full ?? "unknown type"}), and equal values may be written differently`,
            "give both columns the same type (integer, uuid, text, or numeric and character of one size), or match by another column",
          );
        }
      }
    }
  }
}

function factsOf(owner: TableName, column: string, tables: DumpTables, types: TypeCatalog): TypeFacts[] {
  return tables.ownersOf(owner).map((table) => types.facts(table.columns.get(column)?.type ?? null));
}

/** Equal values of the two types are the same text. */
function writtenAlike(child: TypeFacts, parent: TypeFacts): boolean {
  const kinds = [child.kind, parent.kind];
  // what the dump does not declare cannot be judged; other checks refuse where it matters
  if (kinds.includes("unknown")) return true;
  if (kinds.every((kind) => kind === "integer" || kind === "oid")) return true;
  if ([child, parent].some(({ base }) => base?.endsWith("citext") === true)) return false;
  if (child.kind === "number" || parent.kind === "number" || isPadded(child) || isPadded(parent)) {
    // numeric(10,2) always writes two decimals, character(8) always eight characters; without a size nothing is fixed
    return child.full === parent.full && (child.full ?? "").includes("(");
  }
  if (child.kind === "text" && parent.kind === "text") return true;
  return child.base === parent.base;
}

function isPadded({ base }: TypeFacts): boolean {
  return base === "character" || base === "bpchar";
}
