/**
 * Whole files into and out of a database of D1: import and export.
 * @module
 */
import { createHash } from 'node:crypto'
import { databaseOf, inOneTransaction } from './d1-routes.ts'
import type { D1Store, StoredDatabase } from './d1-store.ts'
import { jsonOf, Refusal, type Route } from './routes.ts'
import { splitAsImport } from './split-as-import.ts'

interface ImportBody {
  readonly action: 'init' | 'ingest' | 'poll'
  readonly etag?: string
  readonly filename?: string
  readonly current_bookmark?: string
}

interface ExportBody {
  readonly current_bookmark?: string
  readonly dump_options?: {
    readonly no_schema?: boolean
    readonly no_data?: boolean
    readonly tables?: readonly string[]
  }
}

export function d1TransferRoutes(store: D1Store): Route[] {
  const base = '/accounts/:account/d1/database/:id'
  const files = new Map<string, Buffer>()
  /** What polls are told, by the bookmark that they ask with. */
  const outcomes = new Map<string, object>()
  let transactions = 0
  const bookmark = () => `${String(++transactions).padStart(8, '0')}-00000000-00004e00-${'0'.repeat(32)}`

  /** Carried out at once, and told with the first poll. */
  const begin = async (type: 'import' | 'export', work: () => Promise<object>) => {
    const at_bookmark = bookmark()
    const shared = { type, at_bookmark, messages: [] }
    const outcome = await work()
      .then((result) => ({ ...shared, success: true, status: 'complete', result }))
      .catch((error: Error) => ({ ...shared, success: false, status: 'error', error: error.message }))
    outcomes.set(at_bookmark, outcome)
    return { result: { ...shared, success: true, status: 'active' } }
  }
  const poll = (type: string, at: string) => {
    const outcome = outcomes.get(at) ?? { type, success: false, error: `Not currently ${type}ing anything.` }
    return { result: outcome }
  }
  const ingest = (database: StoredDatabase, filename: string) =>
    begin('import', async () => ({
      ...(await importFile(database, files.get(filename))),
      final_bookmark: bookmark(),
    }))

  return [
    {
      method: 'POST',
      path: `${base}/import`,
      async handle(request, { id }) {
        const database = databaseOf(store, id)
        const { action, etag = '', filename = '', current_bookmark = '' } = jsonOf<ImportBody>(request)
        const own = `${database.uuid}.${etag}.sql`
        if (action === 'poll') return poll('import', current_bookmark)
        if (action === 'ingest') return await ingest(database, filename)
        // A file that was there before is not wanted again.
        if (files.has(own)) return await ingest(database, own)
        return { result: { success: true, filename: own, upload_url: `${request.url}/uploads/${own}` } }
      },
    },
    {
      method: 'PUT',
      path: '/uploads/:file',
      isOpen: true,
      handle({ body }, { file = '' }) {
        files.set(file, body)
        return { raw: '', headers: { ETag: `"${createHash('md5').update(body).digest('hex')}"` } }
      },
    },
    {
      method: 'POST',
      path: `${base}/export`,
      async handle(request, { id }) {
        const { door, name } = databaseOf(store, id)
        const { current_bookmark, dump_options: options = {} } = jsonOf<ExportBody>(request)
        if (current_bookmark !== undefined) return poll('export', current_bookmark)
        return await begin('export', async () => {
          const filename = `${name}-${transactions}.sql`
          const settings = [options.no_schema ? 1 : 0, options.no_data ? 1 : 0, ...(options.tables ?? [])]
          const lines = await door
            .prepare('PRAGMA miniflare_d1_export(?,?,?);')
            .bind(...settings)
            .raw()
          files.set(filename, Buffer.from((lines[0] as unknown as string[]).join('\n')))
          return { filename, signed_url: `${request.url}/downloads/${filename}` }
        })
      },
    },
    {
      method: 'GET',
      path: '/downloads/:file',
      isOpen: true,
      handle: (_, { file = '' }) => ({
        raw: files.get(file) ?? '',
        headers: { 'Content-Type': 'application/sql' },
      }),
    },
  ]
}

async function importFile({ door }: StoredDatabase, file: Buffer | undefined): Promise<object> {
  if (!file) throw new Refusal(400, 7400, 'The request is malformed: there is no such file')
  const { statements } = splitAsImport(file.toString('utf8'))
  const results = await inOneTransaction(
    door,
    statements.map((statement) => door.prepare(statement)),
  )
  const sum = (key: 'rows_read' | 'rows_written' | 'duration' | 'changes') =>
    results.reduce((total, { meta }) => total + Number(meta[key] ?? 0), 0)
  return {
    num_queries: statements.length,
    meta: {
      ...results.at(-1)?.meta,
      rows_read: sum('rows_read'),
      rows_written: sum('rows_written'),
      duration: sum('duration'),
      changes: sum('changes'),
      changed_db: true,
    },
  }
}
