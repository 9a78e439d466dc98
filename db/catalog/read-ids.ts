import { type Column, keyColumn, type Table } from './catalog.ts'
import { routedId } from './declarations.ts'
import type { Draft } from './draft.ts'

type Ids = Table['ids']

/** What the key of each table says of where its rows lie; a declaration that cannot be is a problem. */
export function readIds(drafts: ReadonlyMap<string, Draft>, problems: string[]): Map<string, Ids> {
  const known = new Map<string, Ids>()
  const idsOf = (draft: Draft, children: readonly string[]): Ids => {
    const found = known.get(draft.name)
    if (found !== undefined) return found
    const ids = readOne(draft, problems, (parent) => {
      const other = drafts.get(parent)
      return other === undefined || children.includes(parent) ? null : idsOf(other, [...children, draft.name])
    })
    known.set(draft.name, ids)
    return ids
  }
  for (const draft of drafts.values()) idsOf(draft, [])
  return known
}

function readOne(draft: Draft, problems: string[], parentIds: (parent: string) => Ids): Ids {
  const { name, declaration } = draft
  if (declaration.kind !== 'distributed') return null
  const key = keyColumn(draft)
  const report = (column: string, what: string): Ids => {
    problems.push(`table ${name}, column ${column}: ${what}`)
    return null
  }
  if (key === null || key.key === declaration.by) {
    if (declaration.ids === null) return null
    return report(
      draft.primaryKey.join(', '),
      key === null
        ? 'ids speaks of keys of one column; leave it out'
        : 'the key is the distribution column and leads to its row by itself; leave ids out',
    )
  }
  const canBe = key.type === 'integer' || key.type === 'text'
  const isListed = declaration.uniqueAcrossShards.includes(key.key)
  if (declaration.ids === 'routed') {
    if (!canBe) return report(key.name, `only integers and texts can carry a slot, and it is ${key.type}`)
    if (isListed)
      return report(key.name, 'a routed id is unique over all shards; leave it out of uniqueAcrossShards')
    if (hasOwnIds(key))
      return report(
        key.name,
        "its default makes ids without a slot; use .$defaultFn(routedId), or say ids: 'free'",
      )
    return 'routed'
  }
  if (declaration.ids === 'free' || isListed) {
    return canBe
      ? 'free'
      : report(key.name, `only integers and texts can be looked up, and it is ${key.type}`)
  }
  if (!canBe) return null
  return hasOwnIds(key) ? 'free' : (idsOfParent(draft, key, parentIds) ?? idsByType(key))
}

/** A key that is another row's key is what that one is. */
function idsOfParent(draft: Draft, key: Column, parentIds: (parent: string) => Ids): Ids {
  const parent = draft.foreignKeys.find(({ columns }) => columns.length === 1 && columns[0] === key.name)
  if (parent === undefined) return null
  return parentIds(parent.parent) ?? 'free'
}

function idsByType({ type, default: made }: Column): Ids {
  return type === 'integer' || (made?.kind === 'function' && made.make === routedId) ? 'routed' : 'free'
}

/** Whether ids are made by something that knows nothing of slots. */
function hasOwnIds({ default: made }: Column): boolean {
  if (made === null || made.kind === 'rowid') return false
  return made.kind !== 'function' || made.make !== routedId
}
