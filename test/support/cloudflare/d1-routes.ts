import type { D1Store, StoredDatabase } from './d1-store.ts'
import { type ApiRequest, jsonOf, pageOf, Refusal, type Route } from './routes.ts'
import { splitAsQuery } from './split-as-query.ts'

interface Query {
  readonly sql?: string
  readonly params?: readonly (string | number | null)[]
}

type QueryBody = Query & { readonly batch?: readonly Query[] }

/** Databases of D1 and questions to them. */
export function d1Routes(store: D1Store, longestPage: number): Route[] {
  const base = '/accounts/:account/d1/database'
  return [
    {
      method: 'GET',
      path: base,
      handle({ query }) {
        const name = query.get('name') ?? ''
        const found = store.list().filter((database) => database.name.includes(name))
        return pageOf(found.map(shown), query, longestPage)
      },
    },
    {
      method: 'POST',
      path: base,
      handle(request) {
        const { name, primary_location_hint: location } = jsonOf<{
          name?: string
          primary_location_hint?: string
        }>(request)
        if (!name) throw new Refusal(400, 7400, 'The request is malformed: name is missing')
        if (store.find(name)) throw new Refusal(400, 7502, `Database with name '${name}' already exists`)
        return { result: shown(store.create(name, location)) }
      },
    },
    {
      method: 'GET',
      path: `${base}/:id`,
      handle({ query }, { id }) {
        const database = Object.entries(shown(databaseOf(store, id)))
        const fields = query.get('fields')?.split(',')
        return {
          result: Object.fromEntries(fields ? database.filter(([key]) => fields.includes(key)) : database),
        }
      },
    },
    ...(['PUT', 'PATCH'] as const).map((method) => ({
      method,
      path: `${base}/:id`,
      handle(request: ApiRequest, { id }: Readonly<Record<string, string>>) {
        const database = databaseOf(store, id)
        const body = jsonOf<{ read_replication?: { mode: StoredDatabase['replication'] } }>(request)
        if (body.read_replication) database.replication = body.read_replication.mode
        return { result: shown(database) }
      },
    })),
    {
      method: 'DELETE',
      path: `${base}/:id`,
      handle(_, { id }) {
        store.remove(databaseOf(store, id).uuid)
        return { result: null }
      },
    },
    {
      method: 'POST',
      path: `${base}/:id/query`,
      handle: async (request, { id }) => ({
        result: await run(databaseOf(store, id), jsonOf<QueryBody>(request)),
      }),
    },
    {
      method: 'POST',
      path: `${base}/:id/raw`,
      async handle(request, { id }) {
        const results = await run(databaseOf(store, id), jsonOf<QueryBody>(request))
        const raw = results.map((result) => {
          const rows = result.results as Record<string, unknown>[]
          return {
            ...result,
            results: { columns: Object.keys(rows[0] ?? {}), rows: rows.map(Object.values) },
          }
        })
        return { result: raw }
      },
    },
  ]
}

export function databaseOf(store: D1Store, id = ''): StoredDatabase {
  const database = store.find(id)
  if (!database) throw new Refusal(404, 7404, `The database ${id} could not be found`)
  return database
}

function shown({ uuid, name, createdAt, replication, location }: StoredDatabase) {
  return {
    uuid,
    name,
    version: 'production',
    created_at: createdAt,
    num_tables: 0,
    file_size: 0,
    running_in_region: (location ?? 'weur').toUpperCase(),
    read_replication: { mode: replication },
  }
}

/** Everything of one request is one transaction. */
async function run({ door }: StoredDatabase, body: QueryBody): Promise<D1Result[]> {
  const queries = body.batch ?? [body]
  const statements = queries.flatMap(({ sql = '', params = [] }) => {
    const texts = splitAsQuery(sql)
    if (texts.length > 1 && params.length > 0)
      throw new Refusal(400, 7400, 'The request is malformed: parameters for several statements')
    return texts.map((text) => door.prepare(text).bind(...params))
  })
  if (statements.length === 0) throw new Refusal(400, 7500, 'No SQL statements detected.')
  return await inOneTransaction(door, statements)
}

/** D1's binding says what went wrong as its API does, but for a prefix. */
export async function inOneTransaction(
  door: D1Database,
  statements: D1PreparedStatement[],
): Promise<D1Result[]> {
  try {
    return await door.batch(statements)
  } catch (error) {
    throw new Refusal(400, 7500, (error as Error).message.replace(/^D1_ERROR: /, ''))
  }
}
