import type { Catalog } from '../../db/catalog/catalog.ts'
import type { Schema } from '../../db/catalog/schemas.ts'
import { stayingText } from '../../db/migrate/as-rows-lie.ts'
import type { JobRegistry } from '../jobs/job-registry.ts'
import { type Example, exampleForAnybody, exampleForSecret } from './examples.ts'
import type { LocalKeys } from './keys.ts'
import type { Prepared } from './prepare.ts'

/** What the banner tells of the app. */
export interface Shown {
  readonly catalog: Catalog
  /** What is asked for when no schema is named. */
  readonly schema: Schema
  readonly registry: JobRegistry
  /** Names of its buckets. */
  readonly buckets: readonly string[]
}

/** What `npm run dev` prints when it is ready: where things are, and lines that work when pasted. */
export function banner(
  address: URL,
  keys: LocalKeys,
  { migrations, seeded, staying }: Prepared,
  hasRedis: boolean,
  { catalog, schema, registry: { byName, schedules }, buckets }: Shown,
): string {
  const url = `http://localhost:${address.port}`
  const done = [
    ...(migrations.length > 0
      ? [`applied ${migrations.length} migration${migrations.length > 1 ? 's' : ''}`]
      : []),
    ...(seeded === null ? [] : [`seeded ${seeded} rows`]),
    ...staying.map(stayingText),
  ]
  const kinds = [...byName.keys()].filter((name) => !name.startsWith('atoll:')).length
  const open = exampleForAnybody(catalog, schema)
  const hidden = exampleForSecret(catalog, schema)
  return `
  Atoll is running${done.length > 0 ? ` (${done.join(', ')})` : ''}

    API    ${url}/rest/v1
    Docs   ${url}/docs
    Look   ${url}/_atoll: the dashboard (with the secret key); ${url}/_atoll/mail: mail that was caught
    Cache  ${hasRedis ? 'Redis, shared by all isolates' : 'in memory: isolates do not share it, and keep answers for 5 seconds at most'}
    Files  ${url}/storage/v1, ${buckets.length === 0 ? 'no bucket is declared' : `buckets: ${buckets.join(', ')}`}
    Jobs   ${url}/jobs/v1/jobs (with the secret key): ${kinds} kinds, ${schedules.length} of them by a schedule
${open ? forAnybody(url, open, keys.ATOLL_PUBLISHABLE_KEY) : '\n  Nobody may read anything without signing in: db/app/tables.ts says who may.\n'}${hidden ? forSecret(url, hidden, keys.ATOLL_SECRET_KEY) : `\n  The secret key may do everything; keep it on servers:\n\n    ${keys.ATOLL_SECRET_KEY}\n`}`
}

function forAnybody(url: string, { table, select }: Example, key: string): string {
  return `
  With curl:

    curl '${url}/rest/v1/${table}?select=${select}&limit=3' -H 'apikey: ${key}'

  With supabase-js:

    const supabase = createClient('${url}', '${key}')
    const { data } = await supabase.from('${table}').select('${select.replaceAll(',', ', ')}').limit(3)
`
}

function forSecret(url: string, { table }: Example, key: string): string {
  return `
  The secret key sees everything; keep it on servers:

    curl '${url}/rest/v1/${table}?limit=3' -H 'apikey: ${key}'
`
}
