import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runWrangler } from '../support/cloudflare/run-wrangler.ts'
import { type Cloudflare, startCloudflare } from '../support/cloudflare/server.ts'
import { splitAsImport } from '../support/cloudflare/split-as-import.ts'

const folder = mkdtempSync(join(tmpdir(), 'atoll-wrangler-'))
let cloudflare: Cloudflare

beforeAll(async () => {
  cloudflare = await startCloudflare({ databases: ['atoll', 'atoll-shard-1'] })
  writeFileSync(
    join(folder, 'wrangler.toml'),
    `name = "app"
compatibility_date = "2026-11-01"
[[d1_databases]]
binding = "DB"
database_name = "atoll"
database_id = "${cloudflare.idOf('atoll')}"
[[d1_databases]]
binding = "SHARD_1"
database_name = "atoll-shard-1"
`,
  )
})
afterAll(async () => {
  await cloudflare.stop()
  rmSync(folder, { recursive: true, force: true })
})

const wrangler = (...args: string[]) => runWrangler(folder, cloudflare.env, ...args)
const asked = () =>
  cloudflare.requests.splice(0).map(({ method, path }) => `${method} ${path.split('/').at(-1)}`)

// Wrangler takes two seconds to begin, and more on a busy machine.
describe('the stand-in for Cloudflare', { timeout: 180_000 }, () => {
  it('is listed, asked and written by the real wrangler', async () => {
    const [list, byBinding, wrong, made] = await Promise.all([
      wrangler('d1', 'list', '--json'),
      wrangler('d1', 'execute', 'SHARD_1', '--remote', '--json', '--command', 'SELECT 7 AS n'),
      wrangler('d1', 'execute', 'DB', '--remote', '--command', 'SELECT * FROM nowhere'),
      wrangler('d1', 'create', 'further'),
    ])
    expect(JSON.parse(list.output)).toContainEqual(
      expect.objectContaining({ name: 'atoll', uuid: cloudflare.idOf('atoll') }),
    )
    expect(JSON.parse(byBinding.output)).toMatchObject([{ results: [{ n: 7 }], success: true }])
    expect(wrong.output).toContain('no such table: nowhere: SQLITE_ERROR [code: 7500]')
    expect(wrong.code).toBe(1)
    expect(made.output).toContain(`database_id = "${cloudflare.idOf('further')}"`)
    expect((await wrangler('d1', 'create', 'further')).output).toContain('already exists')
    expect(cloudflare.unknown).toEqual([])
  })

  it('imports files, and refuses an empty statement in one', async () => {
    const trigger =
      'create trigger t_after after insert on t begin update t set b = case when a then 1 else 2 end; end'
    writeFileSync(
      join(folder, 'file.sql'),
      `CREATE TABLE t (a, b);\n${trigger};\nINSERT INTO t VALUES (1, ';');\n`,
    )
    cloudflare.requests.length = 0
    const done = await wrangler('d1', 'execute', 'DB', '--remote', '--yes', '--file', 'file.sql')
    expect(done.output).toContain('Executed 3 queries')
    expect(asked()).toEqual([
      'POST import',
      `PUT ${cloudflare.idOf('atoll')}.${etagOf(done.output)}.sql`,
      'POST import',
      'POST import',
    ])
    expect((await cloudflare.database('atoll').prepare('SELECT * FROM t').all()).results).toEqual([
      { a: 1, b: 1 },
    ])

    writeFileSync(join(folder, 'file.sql'), 'CREATE TABLE u (a);\nCREATE TABLE v (a);;\n')
    const refused = await wrangler('d1', 'execute', 'DB', '--remote', '--yes', '--file', 'file.sql')
    expect(refused.output).toContain('SQL code did not contain a statement')
    await expect(cloudflare.database('atoll').prepare('SELECT * FROM u').all()).rejects.toThrow(
      'no such table',
    )
  })

  it('takes a migration of wrangler, but for a trigger that D1 is known to cut', async () => {
    const migrations = join(folder, 'migrations')
    mkdirSync(migrations)
    writeFileSync(
      join(migrations, '0001_a.sql'),
      'CREATE TABLE m (a);\nCREATE TRIGGER n AFTER INSERT ON m BEGIN SELECT 1; END;\n',
    )
    expect((await wrangler('d1', 'migrations', 'apply', 'DB', '--remote')).output).toContain('✅')
    expect((await wrangler('d1', 'migrations', 'list', 'DB', '--remote')).output).toContain(
      'No migrations to apply',
    )

    writeFileSync(join(migrations, '0002_b.sql'), 'CREATE TRIGGER o AFTER INSERT ON m begin SELECT 1; end;\n')
    expect((await wrangler('d1', 'migrations', 'apply', 'DB', '--remote')).output).toContain(
      'incomplete input: SQLITE_ERROR [code: 7500]',
    )
  })
})

describe('an import of the stand-in', () => {
  it("ends statements where workerd's own ingest does", async () => {
    const code = `import { DurableObject } from 'cloudflare:workers'
export class Database extends DurableObject {
  async fetch(request) {
    const { storage } = this.ctx
    storage.sql.exec('CREATE TABLE IF NOT EXISTS t (a, b)')
    return Response.json(storage.sql.ingest(await request.text()))
  }
}
export default { fetch: (request, env) => env.DATABASE.getByName('one').fetch(request) }`
    const miniflare = new Miniflare(
      convertV4MiniflareOptions({
        workers: [
          {
            name: 'ingest',
            modules: [{ type: 'ESModule', path: 'ingest.mjs', contents: code }],
            compatibilityDate: '2026-11-01',
            compatibilityFlags: ['experimental'],
            durableObjects: { DATABASE: { className: 'Database', useSQLite: true } },
          },
        ],
      }),
    )
    const begin = 'create trigger if not exists g after insert on t begin'
    for (const sql of [
      `SELECT 1; SELECT ';' -- ;\n; SELECT "a;" FROM (SELECT 1 AS "a;") /* ; */`,
      `${begin} update t set b = case when a then 1 else 2 end; select 1; end; SELECT 1;`,
      `-- x;\n${begin} select 1; /* end; */ end ; SELECT 2`,
      `EXPLAIN ${begin} select 1; end; SELECT 1; -- ;`,
      'SELECT 1',
    ]) {
      const answer = await miniflare.dispatchFetch('http://ingest/', { method: 'POST', body: sql })
      const { statements, rest } = splitAsImport(sql)
      expect(await answer.json()).toMatchObject({ statementCount: statements.length, remainder: rest })
    }
    await miniflare.dispose()
  })
})

function etagOf(output: string): string {
  return /Uploading \S+\.([0-9a-f]{32})\.sql/.exec(output)?.[1] ?? 'none'
}
