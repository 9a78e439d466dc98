/**
 * Environments of `wrangler.toml`: what wrangler does not take over from what stands outside of them, whether each of them has it, and that
 * none shares with another what is to be its own.
 * Source: https://developers.cloudflare.com/workers/wrangler/configuration/#non-inheritable-keys
 * @module
 */
import { isDeepStrictEqual } from 'node:util'

/** A table of `wrangler.toml`, as it stands there. */
export type Table = Readonly<Record<string, unknown>>

/** Lists of bindings that are not taken over, by their paths. */
const lists = [
  'd1_databases',
  'r2_buckets',
  'kv_namespaces',
  'queues.producers',
  'queues.consumers',
  'durable_objects.bindings',
  'ratelimits',
  'services',
  'tail_consumers',
  'send_email',
  'hyperdrive',
  'vectorize',
  'analytics_engine_datasets',
  'workflows',
] as const

/** Tables that are not taken over. */
const tables = ['vars', 'define', 'version_metadata', 'images', 'ai', 'browser', 'media'] as const

/** What of an entry is an environment's own. */
const ownFields = [
  'database_name',
  'database_id',
  'preview_database_id',
  'bucket_name',
  'preview_bucket_name',
  'queue',
  'dead_letter_queue',
  'namespace_id',
  // A limit may be another one, too.
  'simple',
  'id',
  'preview_id',
  'service',
  'environment',
  'index_name',
  'dataset',
] as const

/** Fields by which environments must not share anything. */
const unsharedFields = ['database_name', 'database_id', 'bucket_name', 'queue', 'namespace_id'] as const

/** What is missing in an environment, as it would be written there: entries by the paths of their lists, and lines by those of their tables. */
export interface Missing {
  readonly entries: ReadonlyMap<string, readonly Table[]>
  readonly fields: ReadonlyMap<string, Table>
}

export function environmentsOf(raw: Table): ReadonlyMap<string, Table> {
  return new Map(Object.entries((raw.env ?? {}) as Record<string, Table>))
}

/** What is not as it should be, a line each. */
export function differencesOf(raw: Table): readonly string[] {
  return [
    ...[...environmentsOf(raw)].flatMap(([env, own]) => [
      ...lackingLines(env, missingOf(raw, env)),
      ...differingLines(raw, env, own),
    ]),
    ...sharedLines(raw),
  ]
}

function lackingLines(env: string, { entries, fields }: Missing): string[] {
  return [
    ...[...entries].flatMap(([path, list]) =>
      list.map((entry) => `[[env.${env}.${path}]] lacks ${nameOf(entry)}, which stands outside of it`),
    ),
    ...[...fields].map(
      ([path, table]) =>
        `[env.${env}.${path}] lacks ${Object.keys(table).join(', ')}, which stands outside of it`,
    ),
  ]
}

/** What an environment lacks of what stands outside of all. */
export function missingOf(raw: Table, env: string): Missing {
  const own = environmentsOf(raw).get(env) ?? {}
  const entries = new Map<string, Table[]>()
  let nextNamespace = freeNamespace(raw)
  for (const path of lists) {
    const missing = listAt(raw, path).filter((entry) => find(own, path, entry, raw, env) === undefined)
    if (missing.length === 0) continue
    const made = missing.map((entry) =>
      path === 'ratelimits' ? { ...entry, namespace_id: String(nextNamespace++) } : adapted(entry, env),
    )
    entries.set(path, made)
  }
  const fields = new Map<string, Table>()
  const note = (path: string, from: Table, to: Table) => {
    const missing = Object.entries(from).filter(([name]) => !(name in to))
    if (missing.length > 0) fields.set(path, Object.fromEntries(missing))
  }
  for (const path of tables) note(path, tableAt(raw, path), tableAt(own, path))
  const { code_update_strategy: strategy } = tableAt(raw, 'durable_objects')
  if (strategy !== undefined)
    note('durable_objects', { code_update_strategy: strategy }, tableAt(own, 'durable_objects'))
  return { entries, fields }
}

/** An entry with names of the environment's own; what has an id of the account's gets one when it is made. */
function adapted(entry: Table, env: string): Table {
  const kept = Object.entries(entry).filter(([name]) => !/^(?:preview_)?(?:database_)?id$/.test(name))
  return Object.fromEntries(
    kept.map(([name, value]) =>
      ['database_name', 'bucket_name', 'queue', 'dead_letter_queue', 'dataset'].includes(name)
        ? [name, `${value}-${env}`]
        : [name, value],
    ),
  )
}

/** The environment's entry for one outside of it: of the same binding; a consumer is known by the queue of its producer. */
function find(own: Table, path: string, entry: Table, raw: Table, env: string): Table | undefined {
  const list = listAt(own, path)
  if (path !== 'queues.consumers') return list.find((other) => nameOf(other) === nameOf(entry))
  const producer = listAt(raw, 'queues.producers').find(({ queue }) => queue === entry.queue)
  const queue = producer
    ? listAt(own, 'queues.producers').find(({ binding }) => binding === producer.binding)?.queue
    : `${entry.queue}-${env}`
  return list.find((other) => other.queue === queue)
}

function differingLines(raw: Table, env: string, own: Table): string[] {
  const lines: string[] = []
  for (const path of lists) {
    for (const entry of listAt(raw, path)) {
      const other = find(own, path, entry, raw, env)
      if (other !== undefined && !isDeepStrictEqual(shared(entry), shared(other)))
        lines.push(`[[env.${env}.${path}]] has ${nameOf(entry)} other than it stands outside of it`)
    }
  }
  const strategies = [raw, own].map((table) => tableAt(table, 'durable_objects').code_update_strategy)
  if (strategies[1] !== undefined && !isDeepStrictEqual(strategies[0], strategies[1]))
    lines.push(`[env.${env}.durable_objects] has another code_update_strategy than stands outside of it`)
  return lines
}

const shared = (entry: Table): Table =>
  Object.fromEntries(
    Object.entries(entry).filter(([name]) => !(ownFields as readonly string[]).includes(name)),
  )

/** Of the lists in which it says whose something is. */
const owning = ['d1_databases', 'r2_buckets', 'queues.producers', 'queues.consumers', 'ratelimits'] as const

function sharedLines(raw: Table): string[] {
  const users = new Map<string, Set<string>>()
  for (const [env, own] of [['', raw] as const, ...environmentsOf(raw)]) {
    for (const path of owning) {
      for (const entry of listAt(own, path)) {
        for (const field of unsharedFields) {
          if (entry[field] === undefined) continue
          const what = `${field} ${JSON.stringify(entry[field])}`
          users.set(what, (users.get(what) ?? new Set()).add(env))
        }
      }
    }
  }
  return [...users].flatMap(([what, envs]) =>
    envs.size < 2
      ? []
      : [
          `${[...envs].map((env) => (env === '' ? 'what stands outside of all' : `env.${env}`)).join(' and ')} share ${what}`,
        ],
  )
}

function freeNamespace(raw: Table): number {
  const used = [raw, ...environmentsOf(raw).values()].flatMap((own) =>
    listAt(own, 'ratelimits').map(({ namespace_id: id }) => Number(id)),
  )
  return Math.max(1000, ...used.filter(Number.isInteger)) + 1
}

function nameOf(entry: Table): string {
  return String(entry.binding ?? entry.name ?? entry.queue ?? entry.service)
}

function at(table: Table, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (value as Table | undefined)?.[name], table)
}

function listAt(table: Table, path: string): readonly Table[] {
  return (at(table, path) as readonly Table[] | undefined) ?? []
}

function tableAt(table: Table, path: string): Table {
  return (at(table, path) as Table | undefined) ?? {}
}
