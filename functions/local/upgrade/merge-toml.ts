/**
 * Three versions of `wrangler.toml` become one, comments included. Tables and keys are looked at one by one: what Atoll changed since the
 * fork's version is taken over, what the fork changed, added or took away stays so.
 * @module
 */
import { bare, readToml, type TomlBlock, type TomlEntry, valueIn, writeToml } from './toml-blocks.ts'

export interface MergedToml {
  readonly text: string
  /** What somebody should look at, in words. */
  readonly notes: readonly string[]
}

/** A table with what tells it from others of the same header. */
interface Known extends TomlBlock {
  readonly id: string
}

/** By which keys tables of one header are told apart. */
const naming = ['binding', 'name', 'tag', 'queue', 'service', 'pattern', 'id', 'type']

/** What belongs to Atoll's code, and must be what that needs. */
const own =
  /^(?: (?:main|compatibility_date|compatibility_flags)$|\[build\]|\[assets\]|\[\[durable_objects\.bindings\]\]|\[\[migrations\]\])/

/** What a fork has as many of as it wants: never brought by an upgrade. */
const theirsAlone = /^(?:\[\[d1_databases\]\]|\[\[?routes|\[\[?env\.)/
/** And what nobody can say of whether it is new or was taken away, when the fork's version is not known. */
const perhapsTakenAway = /^\[\[(?:queues\.|r2_buckets|ratelimits|kv_namespaces)|^\[triggers\]/

/** @param baseText the version that the fork came from; null when it is not at hand: then nothing is taken away */
export function mergeToml(baseText: string | null, theirText: string, nextText: string): MergedToml {
  const notes: string[] = []
  const [base, theirs, next] = [baseText ?? '', theirText, nextText].map(known) as [Known[], Known[], Known[]]
  const find = (blocks: readonly Known[], id: string) => blocks.find((block) => block.id === id)
  const merged: Known[] = []
  for (const block of theirs) {
    if (block.header === '[[migrations]]') {
      merged.push(block)
      continue
    }
    const before = find(base, block.id)
    const after = find(next, block.id)
    if (after) merged.push(mergeBlock(before, block, after, baseText !== null, notes))
    else if (!before || body(before) !== body(block)) {
      if (before) notes.push(`${block.id} is no longer Atoll's; you have changed it, so it stays`)
      merged.push(block)
    }
  }
  for (const [index, block] of next.entries()) {
    if (block.header === '[[migrations]]') continue
    if (find(theirs, block.id) || find(base, block.id) || theirsAlone.test(block.header)) continue
    if (baseText === null && perhapsTakenAway.test(block.header)) {
      notes.push(
        `${block.id} is not in yours, and was not added: your version of Atoll is not at hand to tell whether you took it away`,
      )
    } else merged.splice(placeAfter(merged, next, index) + 1, 0, block)
  }
  addMigrations(merged, next, notes)
  const tails = [baseText ?? '', theirText, nextText].map((text) => readToml(text).tail) as [
    string,
    string,
    string,
  ]
  const text = writeToml({ blocks: merged, tail: tails[1] === tails[0] ? tails[2] : tails[1] })
  return { text, notes }
}

function known(text: string): Known[] {
  const seen = new Map<string, number>()
  return readToml(text).blocks.map((block) => {
    const name = block.header.startsWith('[[')
      ? naming.map((key) => valueIn(block, key)).find((value) => value !== null)
      : undefined
    const plain = [block.header, name].filter(Boolean).join(' ')
    const times = (seen.get(plain) ?? 0) + 1
    seen.set(plain, times)
    return { ...block, id: times === 1 ? plain : `${plain} (${times})` }
  })
}

const body = ({ entries }: TomlBlock) => entries.map(({ key, text }) => `${key}=${bare(text)}`).join('\n')

function mergeBlock(
  base: Known | undefined,
  theirs: Known,
  next: Known,
  hasBase: boolean,
  notes: string[],
): Known {
  const find = (block: Known | undefined, key: string) => block?.entries.find((entry) => entry.key === key)
  const entries: TomlEntry[] = []
  for (const entry of theirs.entries) {
    const [before, after] = [find(base, entry.key), find(next, entry.key)]
    if (after) entries.push(mergeEntry(theirs, before, entry, after, hasBase, notes))
    else if (!before || bare(before.text) !== bare(entry.text)) entries.push(entry)
  }
  for (const [index, entry] of next.entries.entries()) {
    if (find(theirs, entry.key) || find(base, entry.key)) continue
    const before = next.entries.slice(0, index).map(({ key }) => key)
    const place = entries.findLastIndex(({ key }) => before.includes(key))
    entries.splice(place + 1, 0, entry)
  }
  return { ...theirs, lead: leadOf(base?.lead, theirs.lead, next.lead), entries }
}

function mergeEntry(
  block: Known,
  base: TomlEntry | undefined,
  theirs: TomlEntry,
  next: TomlEntry,
  hasBase: boolean,
  notes: string[],
): TomlEntry {
  const lead = leadOf(base?.lead, theirs.lead, next.lead)
  const [was, yours, ours] = [base, theirs, next].map((entry) => entry && bare(entry.text))
  if (yours === ours || (hasBase && yours === was)) return { ...next, lead }
  if (hasBase && ours === was) return { ...theirs, lead }
  const name = `${block.id} ${theirs.key}`
  if (theirs.key === 'compatibility_flags')
    return { ...theirs, lead, text: withFlags(theirs.text, next.text, base?.text) }
  if (theirs.key === 'compatibility_date') return { ...((yours ?? '') > (ours ?? '') ? theirs : next), lead }
  if (own.test(name)) {
    notes.push(`${name.trim()} is Atoll's ${ours}; yours was ${yours}`)
    return { ...next, lead }
  }
  if (hasBase) notes.push(`${name.trim()} stays ${yours}; Atoll's is ${ours}`)
  return { ...theirs, lead }
}

/** Comments are taken over where the fork has left them as they were. */
function leadOf(base: string | undefined, theirs: string, next: string): string {
  return base === theirs ? next : theirs
}

/** Flags of both; without those that Atoll has given up. */
function withFlags(theirs: string, next: string, base: string | undefined): string {
  const list = (text = '') => [...bare(text).matchAll(/["']([^"']+)["']/g)].map(([, flag]) => flag as string)
  const givenUp = list(base).filter((flag) => !list(next).includes(flag))
  const flags = new Set([...list(next), ...list(theirs).filter((flag) => !givenUp.includes(flag))])
  return `compatibility_flags = [${[...flags].map((flag) => JSON.stringify(flag)).join(', ')}]\n`
}

/**
 * Migrations of Durable Objects run in their order, and the last tag that was deployed is what Cloudflare goes by: what is new stands behind all
 * others, under another tag when the fork has taken that one. They are known by their classes.
 */
function addMigrations(merged: Known[], next: readonly Known[], notes: string[]): void {
  const isMigration = ({ header }: Known) => header === '[[migrations]]'
  for (const migration of next.filter(isMigration)) {
    const there = merged.filter(isMigration)
    if (there.some((other) => doesTheSame(other, migration))) continue
    const tag = (valueIn(migration, 'tag') ?? '').slice(1, -1)
    const isTaken = there.some((other) => valueIn(other, 'tag') === `"${tag}"`)
    if (isTaken) notes.push(`[[migrations]] ${tag} is yours; Atoll's is atoll-${tag}, behind it`)
    const entries = migration.entries.map((entry) =>
      isTaken && entry.key === 'tag' ? { ...entry, text: `tag = "atoll-${tag}"\n` } : entry,
    )
    const last = merged.findLastIndex(isMigration)
    merged.splice((last < 0 ? merged.length - 1 : last) + 1, 0, { ...migration, entries })
  }
}

/** Whether a migration makes all classes that another makes, or is it under whatever tag. */
function doesTheSame(migration: Known, other: Known): boolean {
  const made = (valueIn(other, 'new_sqlite_classes') ?? '').match(/"\w+"/g)
  if (made) return made.every((name) => (valueIn(migration, 'new_sqlite_classes') ?? '').includes(name))
  const untagged = (block: Known) =>
    body({ ...block, entries: block.entries.filter(({ key }) => key !== 'tag') })
  return untagged(migration) === untagged(other)
}

/** Behind the nearest of those before it at Atoll's that is there. */
function placeAfter(blocks: readonly Known[], next: readonly Known[], index: number): number {
  for (let before = index - 1; before >= 0; before--) {
    const place = blocks.findIndex(({ id }) => id === next[before]?.id)
    if (place >= 0) return place
  }
  return blocks.length - 1
}
