import type { JobRegistry } from '../jobs/job-registry.ts'
import type { LocalKeys } from './keys.ts'
import type { Prepared } from './prepare.ts'

/** What `npm run dev` prints when it is ready: where things are, and lines that work when pasted. */
export function banner(
  address: URL,
  keys: LocalKeys,
  { migrations, seeded }: Prepared,
  hasRedis: boolean,
  { byName, schedules }: JobRegistry,
): string {
  const url = `http://localhost:${address.port}`
  const done = [
    ...(migrations.length > 0
      ? [`applied ${migrations.length} migration${migrations.length > 1 ? 's' : ''}`]
      : []),
    ...(seeded === null ? [] : [`seeded ${seeded} rows`]),
  ]
  return `
  Atoll is running${done.length > 0 ? ` (${done.join(', ')})` : ''}

    API    ${url}/rest/v1
    Docs   ${url}/docs
    Look   ${url}/_atoll: the dashboard (with the secret key)
    Cache  ${hasRedis ? 'Redis, shared by all isolates' : 'in memory: isolates do not share it, and keep answers for 5 seconds at most'}
    Files  ${url}/storage/v1, a cover: ${url}/storage/v1/object/public/covers/1.png
    Jobs   ${url}/jobs/v1/jobs (with the secret key): ${[...byName.keys()].filter((name) => !name.startsWith('atoll:')).length} kinds, ${schedules.length} of them by a schedule

  With curl:

    curl '${url}/rest/v1/albums?select=title,artists(name)&limit=3' -H 'apikey: ${keys.ATOLL_PUBLISHABLE_KEY}'

  With supabase-js:

    const supabase = createClient('${url}', '${keys.ATOLL_PUBLISHABLE_KEY}')
    const { data } = await supabase.from('albums').select('title, artists(name)').limit(3)

  The secret key sees everything; keep it on servers:

    curl '${url}/rest/v1/invoices?limit=3' -H 'apikey: ${keys.ATOLL_SECRET_KEY}'
`
}
