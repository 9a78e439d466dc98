import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { secretKey, startTestServer, type TestServer } from '../support/local-server.ts'

const root = join(import.meta.dirname, '..', '..')
let server: TestServer

interface Said {
  readonly code: number
  readonly out: string
  readonly error: string
}

/** Runs the command as `npm run backup --` does. */
function backup(...words: readonly string[]): Promise<Said> {
  const env = { ...process.env, ATOLL_SECRET_KEY: secretKey }
  const args = [join(root, 'functions/local/backup.ts'), ...words, '--url', server.address]
  return new Promise((done) => {
    execFile(process.execPath, args, { env, maxBuffer: 1e8 }, (error, out, said) =>
      done({ code: error === null ? 0 : Number(error.code), out, error: said }),
    )
  })
}

/** All of one customer in a folder, and the file that its row names; one that somebody gave a strange name stays out. */
async function exportsAll(): Promise<void> {
  const ask = (path: string, method: string, body: string, type: string) =>
    fetch(server.address + path, { method, body, headers: { apikey: secretKey, 'content-type': type } })
  await ask('/storage/v1/bucket', 'POST', '{"id":"scans","name":"scans"}', 'application/json')
  await ask('/storage/v1/object/scans/of/one.txt', 'POST', 'signed', 'text/plain')
  const patched = await ask(
    '/rest/v1/customers?id=eq.1',
    'PATCH',
    '{"fax":"scans/of/one.txt"}',
    'application/json',
  )
  expect(patched.status).toBe(204)
  const folder = mkdtempSync(join(tmpdir(), 'atoll-export-'))
  const said = await backup('export', '1', '--to', folder)
  expect([said.code, said.error]).toEqual([0, ''])
  expect(said.out).toContain('and 1 files are in')
  expect(readFileSync(join(folder, 'files', 'scans', 'of', 'one.txt'), 'utf8')).toBe('signed')
  expect(readFileSync(join(folder, 'rows.jsonl'), 'utf8')).toContain('"table":"invoices"')
  expect(readFileSync(join(folder, 'invoices.csv'), 'utf8')).toContain('customer_id')
  rmSync(folder, { recursive: true })
}

describe('npm run backup', () => {
  beforeAll(async () => {
    server = await startTestServer()
  })
  afterAll(() => server.stop())

  it('makes, lists, verifies, restores and prunes backups of a server that runs', async () => {
    const made = await backup('create')
    expect([made.code, made.error]).toEqual([0, ''])
    const [, id = ''] = /^(\w{26}) {2}backup; done/m.exec(made.out) ?? []
    expect((await backup('list')).out).toMatch(new RegExp(`^${id}  .* rows of 4 databases`))
    expect(JSON.parse((await backup('show', id)).out)).toMatchObject({ format: 'atoll-backup', id })
    const verified = await backup('verify', id)
    expect([verified.code, verified.out.includes('WRONG')]).toEqual([0, false])
    expect(verified.out).toContain('right  rows of tracks of DB')
    // Nothing lies in its databases' place yet.
    const planned = await backup('restore', id, '--into', 'empty', '--plan')
    expect([planned.code, planned.out.includes('In the way: customers on DB has rows.')]).toEqual([1, true])
    const restored = await backup('restore', id, '--into', 'beside', '--tables', 'playlists')
    expect([restored.code, restored.error]).toEqual([0, ''])
    expect(restored.out).toContain('right  foreign keys on SHARD_3: all lead to rows')
    const exported = (await backup('export', '1')).out.trim().split('\n')
    expect(
      exported
        .map((line) => JSON.parse(line) as { table: string })
        .some(({ table }) => table === 'customers'),
    ).toBe(true)
    await exportsAll()
    expect((await backup('prune', '--daily', '1')).out.trim()).toBe('All are kept.')
    expect((await backup('delete', id)).code).toBe(0)
    expect((await backup('list')).out.trim()).toBe('There is no backup.')
  })

  it('makes increments, says why one is a full backup, and deletes what they add to with them alone', async () => {
    const whole = await backup('create', '--increment')
    const [, id = ''] = /^(\w{26}) {2}increment; done/m.exec(whole.out) ?? []
    expect([whole.code, whole.out]).toEqual([0, expect.stringContaining('a full backup, as there is no')])
    expect((await backup('create', '--increment')).out).not.toContain('a full backup')
    expect((await backup('list')).out).toContain(` rows that changed since ${id} of 4 databases`)
    expect((await backup('prune', '--hourly', '1', '--plan')).out).toContain(
      `Kept, as increments add to them: ${id}`,
    )
    const refused = await backup('delete', id)
    expect([refused.code, refused.error]).toEqual([1, expect.stringContaining('Increments add to')])
    expect((await backup('delete', id, '--increments')).code).toBe(0)
    expect((await backup('list')).out.trim()).toBe('There is no backup.')
  })

  it('says what it does not understand', async () => {
    const unknown = await backup('restore', 'none', '--into', 'empty')
    expect([unknown.code, unknown.error]).toEqual([1, expect.stringContaining('No backup has the id')])
    expect((await backup()).error).toContain('npm run backup -- create')
  })
})
