/**
 * What an upgrade does to each file of a fork. One rule: what is in an `app/` is theirs, everything else is Atoll's; and a few files are shared.
 * @module
 */
import { type Json, mergeJson, type Owner } from './merge-json.ts'
import { mergeToml } from './merge-toml.ts'
import type { Tree, TreeFile } from './trees.ts'

export type ChangeKind = 'added' | 'replaced' | 'removed' | 'merged'

export interface Change {
  readonly path: string
  readonly kind: ChangeKind
  /** The file as it will be; null when it goes. */
  readonly file: TreeFile | null
}

export interface UpgradePlan {
  readonly changes: readonly Change[]
  /** What somebody should look at, in words. */
  readonly notes: readonly string[]
  /** Files of Atoll's that both have changed in the same places. */
  readonly conflicts: readonly string[]
}

export interface UpgradeOptions {
  /** Whether Atoll's version is taken where both have changed the same. */
  readonly overwrite: boolean
  /** The commit that it is taken from, noted for the next upgrade; null when there is none. */
  readonly commit: string | null
  /** Merges three texts; null when both changed the same lines. */
  readonly mergeText: (base: string, theirs: string, next: string) => string | null
}

/** Never touched, never brought. */
export const isTheirs = (path: string) => /^(?:db|functions|test)\/app\//.test(path)

/** Folders in which everything beside `app/` is Atoll's. */
const isOurs = (path: string) => /^(?:\.ci|db|findings|functions|test)\//.test(path)

/** About a project as a whole: where a fork has its own, it stays. */
const isAboutProject = (path: string) => ['README.md', 'LICENSE', 'CHANGELOG.md'].includes(path)

/** Parts of `package.json` that the engine's code needs as they are. */
const ownParts = new Set([
  'type',
  'engines',
  'scripts',
  'allowScripts',
  'dependencies',
  'devDependencies',
  'overrides',
  'atoll',
  'packages',
  'lockfileVersion',
])

/** @param base the version that the fork came from; null when it is not at hand */
export function planUpgrade(
  base: Tree | null,
  theirs: Tree,
  next: Tree,
  options: UpgradeOptions,
): UpgradePlan {
  const changes: Change[] = []
  const notes: string[] = []
  const conflicts: string[] = []
  const change = (path: string, kind: ChangeKind, file: TreeFile | null) => changes.push({ path, kind, file })

  for (const [path, file] of next) {
    if (isTheirs(path)) continue
    const [before, yours] = [base?.get(path), theirs.get(path)]
    const merger = mergers[path]
    if (yours === undefined) {
      if (before === undefined || isOurs(path)) change(path, 'added', file)
    } else if (merger) {
      const merged = merger(before?.text ?? null, yours.text, file.text, options)
      notes.push(...merged.notes.map((note) => `${path}: ${note}`))
      if (merged.text !== yours.text) change(path, 'merged', { ...yours, text: merged.text })
    } else if (yours.text === file.text) {
      if (yours.isExecutable !== file.isExecutable) change(path, 'replaced', file)
    } else if (base === null && isAboutProject(path) && firstLine(yours) !== firstLine(file)) {
      notes.push(`${path} stays yours`)
    } else if (base === null || before?.text === yours.text) {
      change(path, 'replaced', file)
    } else if (before?.text === file.text) {
      notes.push(`${path} stays as you changed it: Atoll's has not changed since`)
    } else if (isAboutProject(path)) {
      notes.push(`${path} stays yours`)
    } else {
      const merged = before ? options.mergeText(before.text, yours.text, file.text) : null
      if (merged !== null) {
        notes.push(`${path} keeps what you changed in it`)
        change(path, 'merged', { ...file, text: merged })
      } else if (options.overwrite) {
        notes.push(`${path} is Atoll's again: what you changed in it is in the commit before`)
        change(path, 'replaced', file)
      } else conflicts.push(path)
    }
  }

  for (const [path, yours] of theirs) {
    if (next.has(path) || isTheirs(path)) continue
    const before = base?.get(path)
    if (base === null ? isOurs(path) : before?.text === yours.text) change(path, 'removed', null)
    else if (before) notes.push(`${path} is no longer Atoll's; you have changed it, so it stays`)
  }
  for (const [path, file] of neededOfApp(theirs, next)) {
    change(path, 'added', file)
    notes.push(`${path} is new, and yours from now on: the engine reads it`)
  }
  return { changes: changes.sort((a, b) => (a.path < b.path ? -1 : 1)), notes, conflicts }
}

const firstLine = ({ text }: TreeFile) => text.split('\n', 1)[0]

/** Files of an app that the new engine imports and the fork does not have, as a blank app has them. */
function neededOfApp(theirs: Tree, next: Tree): [string, TreeFile][] {
  const blank = 'functions/local/blank/'
  const imported = new Set(
    [...next]
      .filter(
        ([path]) => /^(?:db|functions)\/.*\.ts$/.test(path) && !isTheirs(path) && !path.startsWith(blank),
      )
      .flatMap(([path, { text }]) =>
        [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, to]) =>
          new URL(to as string, `file:///${path}`).pathname.slice(1),
        ),
      ),
  )
  return [...next]
    .filter(([path]) => path.startsWith(blank))
    .map(([path, file]): [string, TreeFile] => [path.slice(blank.length), file])
    .filter(([path]) => isTheirs(path) && imported.has(path) && !theirs.has(path))
}

type Merger = (
  base: string | null,
  theirs: string,
  next: string,
  options: UpgradeOptions,
) => { readonly text: string; readonly notes: readonly string[] }

/** How files are merged that both have a part in. */
const mergers: Readonly<Record<string, Merger | undefined>> = {
  'wrangler.toml': mergeToml,
  'package.json': (base, theirs, next, { commit }) => {
    const from = JSON.parse(next) as { version: string; atoll?: { version?: string } }
    const atoll = { version: from.atoll?.version ?? from.version, ...(commit === null ? {} : { commit }) }
    return mergePackages(base, theirs, JSON.stringify({ ...from, atoll }))
  },
  'package-lock.json': (base, theirs, next) => ({ ...mergePackages(base, theirs, next), notes: [] }),
  '.gitignore': mergeLines,
  '.dev.vars.example': mergeLines,
  '.gitattributes': mergeLines,
}

function mergePackages(base: string | null, theirs: string, next: string) {
  const parse = (text: string) => JSON.parse(text) as Json
  const owner = ([part]: readonly string[]): Owner => (ownParts.has(part ?? '') ? 'atoll' : 'theirs')
  const merged = mergeJson(base === null ? undefined : parse(base), parse(theirs), parse(next), owner)
  // Of course these are theirs.
  const notes = merged.notes.filter((note) => !/^(?:name|version|description|license) /.test(note))
  return { text: `${JSON.stringify(merged.value, null, 2)}\n`, notes }
}

/** Lines in no order that matters: theirs, and what Atoll has new. */
function mergeLines(base: string | null, theirs: string, next: string) {
  const [before, yours] = [base ?? '', theirs].map((text) => new Set(text.split('\n')))
  const added = next.split('\n').filter((line) => !before?.has(line) && !yours?.has(line))
  const text = theirs.replace(/\n*$/, '\n') + added.map((line) => `${line}\n`).join('')
  return { text: added.length === 0 ? theirs : text, notes: [] }
}
