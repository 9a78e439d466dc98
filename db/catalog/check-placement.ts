import type { ForeignKey, Placement } from './catalog.ts'
import type { Draft } from './draft.ts'

/**
 * Says where each table lies, and what of it cannot work.
 *
 * Tables are co-located when their distribution columns lead, along foreign keys, to the same column.
 */
export function checkPlacement(
  drafts: ReadonlyMap<string, Draft>,
  problems: string[],
): Map<string, Placement> {
  const by = new Map<string, string>()
  for (const draft of drafts.values()) {
    if (draft.declaration.kind !== 'distributed') continue
    const key = draft.declaration.by
    const column = [...draft.columns.values()].find((candidate) => candidate.key === key)
    if (!column) {
      problems.push(
        `table ${draft.name}: its distribution column ${key} is not one of its columns; name one in by`,
      )
    } else {
      by.set(draft.name, column.name)
      checkIndex(draft, column.name, problems)
    }
  }
  for (const { name, kind, declaration, primaryKey } of drafts.values()) {
    if (kind !== 'table' || declaration.kind !== 'reference' || primaryKey.length > 0) continue
    problems.push(
      `table ${name}: a reference table needs a primary key, by which its copies follow; add one, or use local()`,
    )
  }
  for (const { name, kind, declaration, primaryKey, columns } of drafts.values()) {
    const blob = primaryKey.find((column) => columns.get(column)?.type === 'blob')
    if (kind !== 'table' || declaration.kind !== 'reference' || blob === undefined) continue
    problems.push(
      `table ${name}, column ${blob}: the key of a reference table cannot be a blob; use text, or local()`,
    )
  }
  const placements = new Map<string, Placement>()
  for (const draft of drafts.values()) {
    const column = by.get(draft.name)
    if (column !== undefined) {
      placements.set(draft.name, { kind: 'distributed', by: column, group: rootOf(draft.name, drafts, by) })
    } else {
      placements.set(draft.name, { kind: draft.declaration.kind === 'reference' ? 'reference' : 'local' })
    }
  }
  for (const draft of drafts.values()) {
    for (const key of draft.foreignKeys) checkForeignKey(draft, key, placements, problems)
  }
  return placements
}

function checkIndex(draft: Draft, column: string, problems: string[]): void {
  if (draft.indexes.some((index) => index[0] === column)) return
  problems.push(
    `table ${draft.name}, column ${column}: the distribution column has no index; ` +
      `add index('${draft.name}_${column}_idx').on(table.${column})`,
  )
}

/** `table.column` that a table's distribution column leads to. */
function rootOf(start: string, drafts: ReadonlyMap<string, Draft>, by: ReadonlyMap<string, string>): string {
  let table = start
  const seen = new Set<string>()
  while (!seen.has(table)) {
    seen.add(table)
    const column = by.get(table)
    const parent = drafts
      .get(table)
      ?.foreignKeys.find(
        (key) =>
          key.columns[0] === column &&
          key.columns.length === 1 &&
          by.get(key.parent) === key.parentColumns[0],
      )?.parent
    if (parent === undefined || seen.has(parent)) break
    table = parent
  }
  return `${table}.${by.get(table)}`
}

function checkForeignKey(
  draft: Draft,
  key: ForeignKey,
  placements: ReadonlyMap<string, Placement>,
  problems: string[],
): void {
  const child = placements.get(draft.name) as Placement
  const parent: Placement = placements.get(key.parent) ?? { kind: 'local' }
  if (parent.kind === 'reference') return
  if (child.kind === 'local' && parent.kind === 'local') return
  if (child.kind === 'distributed' && parent.kind === 'distributed' && child.group === parent.group) return
  const remedy =
    child.kind === 'distributed' && parent.kind === 'distributed'
      ? `distribute both by the same key, or drop the foreign key`
      : child.kind === 'local'
        ? `declare ${draft.name} distributed by the same key, or drop the foreign key`
        : `declare ${key.parent} as reference(), or drop the foreign key`
  problems.push(
    `table ${draft.name}, column ${key.columns.join(', ')}: its foreign key leads to ${key.parent}, ` +
      `which is not co-located with it (${draft.name} is ${child.kind}, ${key.parent} is ${parent.kind}); ${remedy}`,
  )
}

/** Why statements on a table cannot read another in the same database; null when they can. */
export function whyNotBeside(here: Placement, other: Placement | undefined): string | null {
  if (other === undefined)
    return 'it is not in tables.ts; name it there (without access, nobody may ask for it)'
  if (other.kind === 'reference') return null
  if (here.kind === 'local' && other.kind === 'local') return null
  if (here.kind === 'distributed' && other.kind === 'distributed' && here.group === other.group) return null
  return 'it does not lie beside it; policies read tables that are co-located, and reference tables'
}
