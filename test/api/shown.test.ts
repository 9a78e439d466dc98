import { env } from 'cloudflare:workers'
import { blob, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { defineTables, local } from '../../db/define.ts'
import { maxRowBytes } from '../../db/system/shown-triggers.ts'
import { createGateway } from '../../functions/gateway.ts'
import { fetchFrom } from '../support/later-work.ts'
import { migrateInWorker } from '../support/migrate-in-worker.ts'
import { secretKey } from '../support/worker-client.ts'

const { ALONE } = env as unknown as { ALONE: D1Database }
const tables = defineTables({
  sheets: local(
    sqliteTable('sheets', {
      id: integer('id').primaryKey(),
      title: text('title'),
      body: text('body'),
      data: text('data', { mode: 'json' }),
      raw: blob('raw'),
    }),
    {},
  ),
})
const gateway = createGateway({
  tables,
  config: { cache: false, budgets: { service_role: { answerBytes: 3_000_000 } } },
})

const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  askText(method, body === undefined ? undefined : JSON.stringify(body), path, headers)

async function askText(method: string, body?: string, path = '', headers: Record<string, string> = {}) {
  const answer = await fetchFrom(
    gateway,
    new Request(`http://atoll.test/rest/v1/sheets${path}`, {
      method,
      headers: { apikey: secretKey, 'Content-Type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body }),
    }),
    { DB: ALONE, ATOLL_SECRET_KEY: secretKey, ATOLL_RATE_LIMITS: 'off' },
  )
  const said = await answer.text()
  return { status: answer.status, said, code: answer.ok ? null : (JSON.parse(said) as { code: string }).code }
}

beforeAll(async () => {
  await ALONE.prepare(
    'CREATE TABLE sheets (id INTEGER PRIMARY KEY, title TEXT, body TEXT, data TEXT, raw BLOB)',
  ).run()
  await migrateInWorker(new Map([['DB', ALONE]]), buildCatalog(tables), [])
})
beforeEach(async () => {
  await ALONE.prepare('DELETE FROM sheets').run()
})

const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`
const tooLong = { status: 413, code: 'BOUND019' }

describe('a row that no answer could hold', () => {
  it.each([
    ['of plain text', { body: 'x'.repeat(maxRowBytes) }],
    ['of quotes, each of which is two bytes', { body: '"'.repeat(maxRowBytes / 2) }],
    ['of control characters, each of which is six', { body: '\u0001'.repeat(maxRowBytes / 6) }],
    ['of letters of two bytes', { body: 'é'.repeat(maxRowBytes / 2) }],
    ['of several columns', { title: 'x'.repeat(900_000), body: '"'.repeat(500_000) }],
    ['of bytes, shown as two digits each', { raw: `\\x${'00'.repeat(maxRowBytes / 2)}` }],
    ['of a document', { data: { text: 'x'.repeat(maxRowBytes) } }],
  ])('is refused: %s', async (_, row) => {
    expect(await ask('POST', '', { id: 1, ...row })).toMatchObject(tooLong)
    expect((await ask('GET', '')).said).toBe('[]')
  })

  it('is refused when an update would make it', async () => {
    expect((await ask('POST', '', { id: 1, title: 'x'.repeat(1_500_000) })).status).toBe(201)
    expect(await ask('PATCH', '?id=eq.1', { body: 'y'.repeat(450_000) })).toMatchObject(tooLong)
    expect((await ask('PATCH', '?id=eq.1', { title: 'short', body: 'y'.repeat(450_000) })).status).toBe(204)
  })

  it('is refused by the database, whoever writes it', async () => {
    const insert = ALONE.prepare('INSERT OR REPLACE INTO sheets (id, body, data) VALUES (1, ?, ?)')
    await expect(insert.bind('"'.repeat(1_200_000), null).run()).rejects.toThrow('atoll/rule/width/sheets/')
    await expect(insert.bind('', 'no JSON').run()).rejects.toThrow('atoll/rule/json/sheets/')
    await expect(insert.bind('', nested(950)).run()).rejects.toThrow('atoll/rule/json/sheets/')
    await insert.bind('', nested(900)).run()
    const update = ALONE.prepare('UPDATE sheets SET data = ? WHERE id = 1')
    await expect(update.bind('{').run()).rejects.toThrow('atoll/rule/json/sheets/')
  })
})

describe('a write that would show more than an answer may have', () => {
  const shown = { Prefer: 'return=representation' }
  const tooMuch = { status: 413, code: 'BOUND013' }

  it('is refused, and nothing of it is done', async () => {
    for (let id = 1; id <= 5; id++) await ask('POST', '', { id, title: 'old', body: 'x'.repeat(700_000) })
    expect(await ask('PATCH', '?id=gte.1', { title: 'new' }, shown)).toMatchObject(tooMuch)
    expect(await ask('DELETE', '?id=gte.1', undefined, shown)).toMatchObject(tooMuch)
    expect((await ask('GET', '?select=title')).said).toBe(
      JSON.stringify(Array(5).fill({ title: 'old' })).replaceAll('},', '}, \n '),
    )
    // Each row has what the payload sets, too.
    expect(await ask('PATCH', '?id=gte.1&select=title', { title: 'y'.repeat(800_000) }, shown)).toMatchObject(
      tooMuch,
    )
  })

  it('is made when it shows less', async () => {
    for (let id = 1; id <= 5; id++) await ask('POST', '', { id, title: 'old', body: 'x'.repeat(700_000) })
    const patched = await ask(
      'PATCH',
      '?id=gte.1&select=id,title&order=id.desc&limit=2',
      { title: 'new' },
      shown,
    )
    expect(JSON.parse(patched.said)).toEqual([
      { id: 5, title: 'new' },
      { id: 4, title: 'new' },
    ])
    expect((await ask('PATCH', '?id=eq.1', { title: 'new' }, shown)).status).toBe(200)
    expect((await ask('PATCH', '?id=gte.1', { title: 'new' })).status).toBe(204)
    expect(JSON.parse((await ask('DELETE', '?id=lte.4', undefined, shown)).said)).toHaveLength(4)
  })
})

describe('a key', () => {
  it('that leaves no number for the rows after it is refused, whoever writes it', async () => {
    const refused = { status: 400, code: '22003' }
    expect(await askText('POST', '{"id":9223372036854775807}')).toMatchObject(refused)
    expect(await askText('POST', '{"id":9000000000000000001}')).toMatchObject(refused)
    await expect(ALONE.prepare('INSERT INTO sheets (id) VALUES (9223372036854775807)').run()).rejects.toThrow(
      'atoll/rule/id/sheets.id/',
    )
    expect((await askText('POST', '{"id":9000000000000000000}')).status).toBe(201)
    expect((await askText('POST', '{"title":"next"}')).status).toBe(201)
    expect((await ask('GET', '?select=id&order=id.desc&limit=1')).said).toBe('[{"id":9000000000000000001}]')
    expect(await askText('PATCH', '{"id":9000000000000000002}', '?title=eq.next')).toMatchObject(refused)
  })
})

describe('a row that is stored', () => {
  it.each([
    ['of plain text', { body: 'x'.repeat(maxRowBytes - 500) }],
    ['of quotes', { body: '"'.repeat((maxRowBytes - 500) / 2) }],
    ['of control characters', { body: '\u0001'.repeat(Math.floor((maxRowBytes - 500) / 6)) }],
    ['of bytes', { raw: `\\x${'00'.repeat((maxRowBytes - 500) / 2)}` }],
    ['of a deep document', { data: JSON.parse(nested(900)) }],
  ])('is shown: %s', async (_, row) => {
    expect((await ask('POST', '', { id: 1, ...row })).status).toBe(201)
    const [name, value] = Object.entries(row)[0] as [string, unknown]
    const shown = await ask('GET', `?select=id,title,body,data,raw`)
    expect(shown.status).toBe(200)
    expect((JSON.parse(shown.said) as Record<string, unknown>[])[0]?.[name]).toEqual(value)
    expect((await ask('GET', '', undefined, { Accept: 'text/csv' })).status).toBe(200)
    expect(
      (await ask('GET', '?id=eq.1', undefined, { Accept: 'application/vnd.pgrst.object+json' })).status,
    ).toBe(200)
  })

  it('is refused when its document is deeper than what is shown may be', async () => {
    expect(await ask('POST', '', { id: 1, data: JSON.parse(nested(901)) })).toMatchObject({
      status: 413,
      code: '54001',
    })
  })
})
