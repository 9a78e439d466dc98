import { describe, expect, it } from 'vitest'
import type { BackupWorld } from '../../db/backups/backup-world.ts'
import { countLines } from '../../db/backups/count-lines.ts'
import { jobsGroup, noteErasure } from '../../db/backups/erasures.ts'
import { forgetErased } from '../../db/backups/forget-erased.ts'
import {
  type BackupTable,
  type Line,
  type Manifest,
  manifestOf,
  type Part,
  signedText,
} from '../../db/backups/format.ts'
import { readLastLines, readPart, writePart } from '../../db/backups/parts.ts'
import { readChain, readManifest } from '../../db/backups/read-chain.ts'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { createSigner } from '../../functions/backups/sign.ts'
import tables from '../fixture-app/db/app/tables.ts'

const id = 'b'
const group = 'customers.id'
const [begun, ended] = [Date.parse('2026-11-30T10:00Z'), Date.parse('2026-11-30T11:00Z')]
const key = [{ name: 'id', isBlob: false }]
const shapes: readonly BackupTable[] = [
  { name: 'customers', placement: 'distributed', by: 'id', columns: ['id', 'fax'], key },
  { name: 'employees', placement: 'reference', by: null, columns: ['id'], key },
  { name: '_atoll_jobs', placement: 'system', by: null, columns: ['id', 'value'], key },
  { name: '_atoll_job_steps', placement: 'system', by: null, columns: ['job', 'step'], key },
]
const customer = (n: number, fax: string, value = String(n)): Line => ({
  table: 'customers',
  key: `[${n}]`,
  value,
  row: `[${n},"${fax}"]`,
})
const gone = (n: number): Line => ({ table: 'customers', key: `[${n}]`, value: null, row: null })
const other = (table: string, row: string): Line => ({ table, key: '["j"]', value: null, row })

/** A backup in memory, of parts of one database. */
async function backupOf(contents: readonly (readonly [kind: Part['kind'], lines: readonly Line[]])[]) {
  const stored = new Map<string, Uint8Array>()
  const used = { by: 0 }
  const world = {
    session: { primary: async () => [used.by > 0 ? [{}] : []] },
    catalog: buildCatalog(tables),
    signer: createSigner('secret'),
    files: {
      put: async (name: string, bytes: Uint8Array) => void stored.set(name, bytes),
      get: async (name: string) => stored.get(name) ?? null,
      list: async (prefix: string) => [...stored.keys()].filter((name) => name.startsWith(prefix)),
      remove: async (names: readonly string[]) => {
        for (const name of names) stored.delete(name)
      },
    },
  } as unknown as BackupWorld
  const parts: Part[] = []
  for (const [i, [kind, lines]] of contents.entries())
    parts.push(await writePart(world.files, id, i, { database: 'DB', kind }, lines))
  const manifest: Manifest = {
    format: 'atoll-backup',
    version: 1,
    id,
    kind: 'full',
    begun: new Date(begun).toISOString(),
    finished: new Date(ended).toISOString(),
    migrations: [],
    map: null,
    databases: [{ name: 'DB', position: 1, bookmark: null, at: ended, tables: await sumsOf(world, parts) }],
    tables: shapes,
    parts,
    leftOut: [],
  }
  await world.files.put(manifestOf(id), new TextEncoder().encode(await signedText(manifest, world.signer)))
  return { world, stored, used, manifest }
}

async function sumsOf({ files }: BackupWorld, parts: readonly Part[]) {
  const last = await readLastLines(files, id, parts)
  let sums = {}
  for (const [i, part] of parts.entries())
    sums = countLines(await readPart(files, id, part), part, i, last, shapes, sums)
  return sums
}

/** All lines that the backup has, and whether its manifest counts them right. */
async function looked(world: BackupWorld) {
  const manifest = await readManifest(world, id)
  const lines: Line[] = []
  for (const part of manifest.parts) lines.push(...(await readPart(world.files, id, part)))
  expect(manifest.databases[0]?.tables).toEqual(await sumsOf(world, manifest.parts))
  return { manifest, lines }
}

describe('a backup that is kept', () => {
  it('forgets rows, jobs and their steps of erased values, and says how many', async () => {
    const others = [other('employees', '[7]'), customer(8, 'b')]
    const { world, stored, manifest } = await backupOf([
      ['rows', [customer(7, 'a'), ...others]],
      ['rows', [customer(7, 'z')]],
      ['changes', [customer(7, 'c'), customer(8, 'd'), gone(9)]],
      [
        'whole',
        [
          other('_atoll_jobs', '["j","7"]'),
          other('_atoll_jobs', '["k","8"]'),
          other('_atoll_job_steps', '["j","s"]'),
          other('_atoll_job_steps', '["k","s"]'),
        ],
      ],
    ])
    await noteErasure(world, group, '7', ended + 1)
    await noteErasure(world, jobsGroup, '7', ended + 1)
    expect([...stored.keys()].filter((name) => name.startsWith('erasures/')).join()).not.toContain(
      'customers',
    )
    expect(await forgetErased(world)).toEqual([{ id, rows: 3, refused: null }])
    const { lines, manifest: after } = await looked(world)
    expect(lines).toEqual([
      ...others,
      gone(7),
      customer(8, 'd'),
      gone(9),
      other('_atoll_jobs', '["k","8"]'),
      other('_atoll_job_steps', '["k","s"]'),
    ])
    expect(after.leftOut).toEqual([{ what: '3 rows', why: 'they were erased after the backup was made' }])
    // Files that had such rows are gone.
    for (const { file } of manifest.parts) expect(stored.has(`parts/${id}/${file}`)).toBe(false)
    expect(await forgetErased(world)).toEqual([])
  })

  it('does not let an earlier line count again in the place of one that is forgotten', async () => {
    const { world } = await backupOf([
      ['rows', [customer(7, 'a', '6')]],
      ['changes', [customer(7, 'b', '7')]],
    ])
    await noteErasure(world, group, '7', ended + 1)
    await forgetErased(world)
    const { manifest } = await looked(world)
    expect(manifest.databases[0]?.tables).toEqual({})
  })

  it('keeps what was written after its value was erased, and not what had gone by its end', async () => {
    const { world } = await backupOf([
      ['rows', [customer(7, 'a'), customer(8, 'b')]],
      ['changes', [gone(7), customer(8, 'c')]],
    ])
    await noteErasure(world, group, '7', begun + 1)
    await noteErasure(world, group, '8', begun + 1)
    expect(await forgetErased(world)).toEqual([{ id, rows: 0, refused: null }])
    expect((await looked(world)).lines).toEqual([gone(7), customer(8, 'c')])
  })

  it('is left alone when it was begun later, and for as long as it is being read', async () => {
    const { world, used } = await backupOf([['rows', [customer(7, 'a')]]])
    await noteErasure(world, group, '7', begun - 120_000)
    expect(await forgetErased(world)).toEqual([])
    await noteErasure(world, group, '7', ended + 1)
    used.by = 1
    expect(await forgetErased(world)).toMatchObject([{ rows: 0, refused: expect.stringContaining('read') }])
    expect((await looked(world)).lines).toHaveLength(1)
    used.by = 0
    expect(await forgetErased(world)).toMatchObject([{ rows: 1 }])
    expect((await looked(world)).lines).toEqual([])
  })

  it('forgets in the middle of a chain, which stays one', async () => {
    const { world, manifest } = await backupOf([['rows', [customer(7, 'a'), customer(8, 'b')]]])
    const part = await writePart(world.files, 'c', 0, { database: 'DB', kind: 'changes' }, [
      customer(7, 'c'),
      customer(9, 'd'),
    ])
    const increment: Manifest = {
      ...manifest,
      version: 2,
      id: 'c',
      kind: 'increment',
      parent: { id, positions: { DB: 1 }, number: 1 },
      databases: [{ name: 'DB', position: 5, bookmark: null, at: ended, tables: {} }],
      parts: [part],
    }
    const text = await signedText(increment, world.signer)
    await world.files.put(manifestOf('c'), new TextEncoder().encode(text))
    await noteErasure(world, group, '7', ended + 1)
    await forgetErased(world)
    const { links, whole } = await readChain(world, 'c')
    expect(links.map((link) => link.forgotten?.length)).toEqual([1, 1])
    const lines: Line[] = []
    for (const one of whole.parts) lines.push(...(await readPart(world.files, 'c', one)))
    expect(lines).toEqual([customer(8, 'b'), gone(7), customer(9, 'd')])
  })

  it('that is damaged stays as it is, and is told', async () => {
    const { world, stored, manifest } = await backupOf([['rows', [customer(7, 'a')]]])
    await noteErasure(world, group, '7', ended + 1)
    stored.set(`parts/${id}/${manifest.parts[0]?.file}`, new Uint8Array(3))
    expect(await forgetErased(world)).toMatchObject([
      { rows: 0, refused: expect.stringContaining('damaged') },
    ])
    expect(await readManifest(world, id)).toEqual(manifest)
  })
})
