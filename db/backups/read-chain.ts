/**
 * Reads what a backup says of itself, and of an increment all that it stands on.
 * @module
 */
import type { BackupWorld } from './backup-world.ts'
import { asOf, BadManifest, type Manifest, manifestOf, type Part, readManifestText } from './format.ts'

/** Something that cannot be read, however often it is tried. */
export class BackupRefused extends Error {
  override readonly name = 'BackupRefused'
}

/** An increment of whose chain a link is missing, or not to be used. */
export class BrokenChain extends BackupRefused {}

/** @throws BadManifest when it is not to be used; BackupRefused when there is none */
export async function readManifest(
  { files, signer }: Pick<BackupWorld, 'files' | 'signer'>,
  id: string,
): Promise<Manifest> {
  const bytes = await files.get(manifestOf(id))
  if (bytes === null) throw new BackupRefused(`There is no backup ${id}.`)
  return readManifestText(new TextDecoder().decode(bytes), signer)
}

/** A backup with those that it adds to. */
export interface Chain {
  /** From the full backup to the one that was asked for. */
  readonly links: readonly Manifest[]
  /** The same as one manifest, with the parts of all. */
  readonly whole: Manifest
}

/**
 * Reads the manifests of a chain.
 *
 * @throws BackupRefused when there is no such backup; BrokenChain when one that it adds to is missing or another; BadManifest when its own is not
 * to be used
 */
export async function readChain(
  world: Pick<BackupWorld, 'files' | 'signer'>,
  backup: string | Manifest,
): Promise<Chain> {
  const last = typeof backup === 'string' ? await readManifest(world, backup) : backup
  const links = [last]
  for (let link = last; link.parent !== undefined; ) {
    link = await readParent(world, link)
    links.unshift(link)
  }
  return { links, whole: joined(links, last) }
}

async function readParent(world: Pick<BackupWorld, 'files' | 'signer'>, child: Manifest): Promise<Manifest> {
  const { id, positions } = child.parent as NonNullable<Manifest['parent']>
  const broken = (why: string) =>
    new BrokenChain(`${child.id} adds to ${id}, ${why}. A backup before that can be restored.`)
  let parent: Manifest
  try {
    parent = await readManifest(world, id)
  } catch (error) {
    if (error instanceof BadManifest) throw broken(`which is not to be used: ${error.message}`)
    if (error instanceof BackupRefused) throw broken('which is missing')
    throw error
  }
  const fits =
    parent.databases.length === child.databases.length &&
    parent.databases.every(({ name, position }) => positions[name] === position)
  if (!fits) throw broken('which is as of other positions')
  return parent
}

function joined(links: readonly Manifest[], last: Manifest): Manifest {
  const parts = links.flatMap((link): readonly Part[] =>
    link === last
      ? link.parts
      : link.parts.flatMap((part) =>
          // Tables that are read as a whole are in each.
          part.kind === 'whole' ? [] : { ...part, backup: link.id, at: asOf(link, part) },
        ),
  )
  return { ...last, parts }
}

/** Rows that a chain holds of each table: as the databases counted them, else at most as many as its links hold together. */
export function rowsOf({ links }: Chain): Map<string, number> {
  const rows = new Map<string, number>()
  const last = links.at(-1) as Manifest
  const parts = links.flatMap((link) => link.parts)
  const isWhole = (table: string) =>
    parts.some(({ kind, tables }) => kind === 'whole' && tables.includes(table))
  for (const { name, held = {}, tables } of last.databases) {
    const own = links.map(({ databases }) => databases.find((one) => one.name === name)?.tables ?? {})
    for (const table of new Set(own.flatMap((one) => Object.keys(one)))) {
      const atMost = own.reduce((sum, one) => sum + (one[table]?.rows ?? 0), 0)
      const n = links.length === 1 || isWhole(table) ? (tables[table]?.rows ?? 0) : (held[table] ?? atMost)
      rows.set(table, (rows.get(table) ?? 0) + n)
    }
  }
  return rows
}
