/**
 * Tries what a deployment stands on, each by itself, so that one that fails does not hide another.
 * @module
 */
import type { Catalog } from '../../db/catalog/catalog.ts'
import { AtollError } from '../../db/errors/atoll-error.ts'
import { makeUlid } from '../../db/slots/slots.ts'
import { serviceCaller } from '../core/caller.ts'
import { knownJob, sendTo } from '../jobs/area.ts'
import { errors } from './errors.ts'
import type { Services } from './services.ts'

export const jobName = 'atoll:proof'

/** What was found: null where something works, else why it does not. */
export interface Proof {
  /** The version that answered, where `wrangler.toml` binds it as `VERSION`. */
  readonly version: string | null
  /** A read by the data API. */
  readonly read: string | null
  /** By their bindings: whether each answers and has what the code needs. */
  readonly databases: Readonly<Record<string, string | null>>
  /** A file put into the bucket, read and taken away; undefined where none is bound. */
  readonly bucket?: string | null
  /** A job on its way through the queue, whose row in `DB` says when it is done; undefined where no queue is bound. */
  readonly job?: string
}

interface Asked {
  readonly raw: Request
  readonly services: Services
  readonly later: (work: Promise<unknown>) => void
}

/** @throws AtollError PROOF001 for who has not written into the database what they show */
export async function prove({ raw, services, later }: Asked, catalog: Catalog): Promise<Proof> {
  await checkToken(raw, services)
  const [read, databases, bucket, job] = await Promise.all([
    found(() => readSomething({ raw, services, later }, catalog)),
    Promise.all(
      services.cluster.databases.map(async (name) => [name, await found(() => ask(name, services))] as const),
    ),
    services.files === null ? undefined : found(() => tryBucket(services.files as R2Bucket)),
    services.queues.size === 0 ? undefined : sendJob(services, later),
  ])
  return {
    version: services.version,
    read,
    databases: Object.fromEntries(databases),
    ...(bucket === undefined ? {} : { bucket }),
    ...(job === undefined ? {} : { job }),
  }
}

/** Whoever can write there may do everything anyway. The row has a hash of what is shown, and until when it is good. */
async function checkToken(raw: Request, { bindings }: Services): Promise<void> {
  const token = raw.headers.get('atoll-proof') ?? ''
  if (!/^[\w-]{32,100}$/.test(token)) throw errors.proofDenied()
  const row = await bindings
    .get('DB')
    ?.withSession('first-primary')
    .prepare("SELECT value FROM _atoll_state WHERE key = 'proof'")
    .first<{ value: string }>()
    .catch(() => null)
  const { hash, until } = JSON.parse(row?.value ?? '{}') as { hash?: string; until?: number }
  if (hash !== (await hashOf(token)) || !(Number(until) > Date.now())) throw errors.proofDenied()
}

async function hashOf(token: string): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token))
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Null, or why not. */
async function found(work: () => Promise<unknown>): Promise<string | null> {
  try {
    await work()
    return null
  } catch (error) {
    if (error instanceof AtollError)
      return [error.body.code, error.message, error.body.details].filter(Boolean).join(': ')
    return (error as Error).message
  }
}

/** A row of the first table that is served, whichever it is. */
async function readSomething({ raw, services, later }: Asked, catalog: Catalog): Promise<void> {
  const table = [...catalog.tables.values()].find(({ kind }) => kind === 'table')
  if (!table) return
  const url = new URL(`/rest/v1/${encodeURIComponent(table.shownName)}?limit=1`, raw.url)
  const headers = { 'Cache-Control': 'no-cache', ...profileOf(table) }
  const answer = await services.serve({ raw: new Request(url, { headers }), caller: serviceCaller, later })
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
  await answer.body?.cancel()
}

function profileOf({ schemas }: { readonly schemas?: readonly string[] | null }): Record<string, string> {
  const [schema] = schemas ?? []
  return schema === undefined ? {} : { 'Accept-Profile': schema }
}

async function ask(name: string, { cluster }: Services): Promise<void> {
  const session = cluster.open({ reads: true, primary: true, seen: new Map() })
  await session.on(name, [{ text: 'SELECT 1', parameters: [] }])
}

async function tryBucket(bucket: R2Bucket): Promise<void> {
  const key = `_atoll/proof/${makeUlid()}`
  await bucket.put(key, key)
  try {
    const stored = await bucket.get(key)
    if ((await stored?.text()) !== key) throw new Error('the bucket does not give back what was put into it')
  } finally {
    await bucket.delete(key)
  }
}

async function sendJob(services: Services, later: Asked['later']): Promise<string> {
  const sent = (name: string) => {
    const carried = services.relay?.carry(name)
    if (carried) later(carried.catch(() => undefined))
  }
  const job = await sendTo(services, { sent }, knownJob(services.registry, jobName), {}, {})
  return job.id
}
