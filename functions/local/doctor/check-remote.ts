/**
 * What facts of a deployment mean.
 * @module
 */
import { checkDrift, keyNames } from './check-local.ts'
import type { Backup, Fact, RemoteDatabase, RemoteFacts } from './facts.ts'
import { type Finding, fault, good, unknown, warning } from './findings.ts'
import { limits, nearly } from './limits.ts'

const dayMs = 86_400_000

/** What of `wrangler.toml` it is compared with. */
export interface Expected {
  readonly crons: readonly string[]
  readonly maxStatementsPerRequest: number | null
  /** ` --env NAME`, or nothing. */
  readonly option: string
}

/** @param now milliseconds since 1970 */
export function checkRemote(facts: RemoteFacts, expected: Expected, now: number): Finding[] {
  const { option } = expected
  return [
    checkPlan(facts, expected),
    ...checkVariables(facts.variables, option),
    ...checkDatabases(facts, option),
    ...checkThere(
      facts.queues,
      'queues',
      'Messages wait for nobody',
      `npm run deploy${option && ` --${option}`}`,
    ),
    ...checkBuckets(facts.buckets, option),
    checkCrons(facts.crons, expected),
    checkDrift(facts.drift, 'schema', `npm run db:migrate -- --remote${option}`),
    checkBackup(facts.lastBackup, now),
  ]
}

function checkPlan(
  { plan, databasesInAccount: count }: RemoteFacts,
  { maxStatementsPerRequest: most }: Expected,
): Finding {
  const { databases, queriesPerRequest } = limits.free
  const has =
    'value' in count
      ? `${count.value} databases in the account`
      : `how many databases the account has is not known (${count.unknown})`
  if ('unknown' in plan)
    return 'value' in count && count.value > databases
      ? good('plan', `${has}, more than Workers Free has: it is Workers Paid`)
      : unknown(
          'plan',
          `${plan.unknown}; ${has}, of ${databases} on Workers Free`,
          most !== null && most <= queriesPerRequest
            ? undefined
            : `If it is Workers Free, set maxStatementsPerRequest: ${queriesPerRequest}, and measure 10 ms of processor time to a request`,
        )
  if (plan.value === 'paid') return good('plan', `Workers Paid, ${has}`)
  if (most === null || most > queriesPerRequest)
    return fault(
      'plan',
      `Workers Free ends requests at ${queriesPerRequest} queries; they may run ${most ?? 'any number'}`,
      `Set maxStatementsPerRequest: ${queriesPerRequest} in functions/app/config.ts`,
    )
  return 'value' in count && count.value >= databases
    ? warning(
        'plan',
        `Workers Free, ${has}: no shard can be added`,
        'Take Workers Paid before the next shard',
      )
    : good('plan', `Workers Free, ${has}`)
}

function checkVariables(variables: Fact<readonly string[] | null>, option: string): Finding[] {
  if ('unknown' in variables) return [unknown('secrets', variables.unknown)]
  if (variables.value === null)
    return [fault('Worker', 'was never deployed', `npm run deploy${option && ` --${option}`}`)]
  const has = (name: string) => variables.value?.includes(name) === true
  const missing = keyNames.filter(
    (name) => !has(name) && !(name === 'ATOLL_JWT_SECRET' && has('ATOLL_JWKS_URL')),
  )
  const hasUrl = has('UPSTASH_REDIS_REST_URL')
  return [
    missing.length === 0
      ? good('secrets', 'are set')
      : fault(
          'secrets',
          `${missing.join(', ')} missing`,
          `npx wrangler secret put NAME${option}, with what npm run keys makes`,
        ),
    ...(hasUrl === has('UPSTASH_REDIS_REST_TOKEN')
      ? [
          hasUrl
            ? unknown(
                'cache',
                'in Redis; a secret cannot be read, so neither its TLS nor its region can be seen',
                'npm run doctor with the same values in .dev.vars looks at them',
              )
            : warning(
                'cache',
                'in memory: isolates do not share what they keep, and serve it for seconds after others wrote',
                `npx wrangler secret put UPSTASH_REDIS_REST_URL${option}, and UPSTASH_REDIS_REST_TOKEN`,
              ),
        ]
      : [
          fault(
            'cache',
            'only one of UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN is set',
            `npx wrangler secret put NAME${option}`,
          ),
        ]),
  ]
}

function checkDatabases({ databases: fact, plan }: RemoteFacts, option: string): Finding[] {
  if ('unknown' in fact) return [unknown('databases', fact.unknown)]
  const there = fact.value.filter(({ isThere }) => isThere)
  const missing = fact.value.filter(({ isThere }) => !isThere)
  return [
    ...(missing.length === 0
      ? [good('databases', `${there.length}, all there`)]
      : [fault('databases', `${names(missing)} missing`, `npm run deploy${option && ` --${option}`}`)]),
    ...checkReplication(there, option),
    ...checkLocations(there),
    ...checkSizes(there, 'value' in plan ? plan.value : null),
  ]
}

const names = (databases: readonly RemoteDatabase[]) =>
  databases.map(({ binding, name }) => `${binding} (${name})`).join(', ')

function checkReplication(databases: readonly RemoteDatabase[], option: string): Finding[] {
  const without = databases.filter(({ isReplicated }) => !isReplicated)
  if (databases.length === 0) return []
  return [
    without.length === 0
      ? good('replication', 'on: reads are answered close to who asks')
      : warning(
          'replication',
          `off for ${names(without)}: every read goes to where the database lies`,
          `readReplicas: true in functions/app/config.ts, then npm run deploy${option && ` --${option}`}; or in the dashboard, under the database's settings`,
        ),
  ]
}

function checkLocations(databases: readonly RemoteDatabase[]): Finding[] {
  const regions = Map.groupBy(databases, ({ region }) => region ?? 'not known')
  if (databases.length === 0) return []
  const shown = [...regions]
    .map(([region, inside]) => `${region}: ${inside.map(({ binding }) => binding).join(', ')}`)
    .join('; ')
  if (regions.has('not known'))
    return [unknown('locations', `Cloudflare does not say where all lie: ${shown}`)]
  return [
    regions.size === 1
      ? good('locations', shown)
      : warning(
          'locations',
          `databases lie apart from each other: ${shown}`,
          'Writes of several shards and reads of all take as long as the farthest: make new shards where DB is (databaseLocation), and npm run shards -- drain those elsewhere',
        ),
  ]
}

function checkSizes(databases: readonly RemoteDatabase[], plan: 'free' | 'paid' | null): Finding[] {
  const most = limits[plan ?? 'paid'].databaseBytes
  const large = databases.filter(({ bytes }) => bytes !== null && bytes > most * nearly)
  if (databases.length === 0 || databases.every(({ bytes }) => bytes === null)) return []
  return [
    large.length === 0
      ? good(
          'sizes',
          `the largest has ${(Math.max(...databases.map(({ bytes }) => bytes ?? 0)) / 1e6).toFixed(1)} MB of ${most / 1e6}`,
        )
      : warning(
          'sizes',
          `${names(large)} near ${most / 1e9} GB, beyond which nothing is written`,
          'npm run shards -- add NAME --remote, then npm run shards -- rebalance',
        ),
  ]
}

function checkThere(
  fact: Fact<ReadonlyMap<string, boolean>>,
  about: string,
  why: string,
  remedy: string,
): Finding[] {
  if ('unknown' in fact) return [unknown(about, fact.unknown)]
  const missing = [...fact.value].filter(([, isThere]) => !isThere).map(([name]) => name)
  if (fact.value.size === 0) return []
  return [
    missing.length === 0
      ? good(about, `${[...fact.value.keys()].join(', ')}, all there`)
      : fault(about, `${missing.join(', ')} missing. ${why}`, remedy),
  ]
}

function checkBuckets(fact: Fact<ReadonlyMap<string, boolean> | null>, option: string): Finding[] {
  if ('value' in fact && fact.value === null)
    return [
      fault(
        'R2',
        'is not switched on in this account, and files need it',
        'Switch it on: https://dash.cloudflare.com/?to=/:account/r2',
      ),
    ]
  return checkThere(
    fact as Fact<ReadonlyMap<string, boolean>>,
    'R2',
    'Files have no place',
    `npm run deploy${option && ` --${option}`}`,
  )
}

function checkCrons(fact: Fact<readonly string[]>, { crons, option }: Expected): Finding {
  if ('unknown' in fact) return unknown('clock', fact.unknown)
  const [are, shall] = [fact.value, crons].map((list) => [...list].sort().join(', '))
  return are === shall
    ? good('clock', `wakes up at ${are}`)
    : fault(
        'clock',
        `wakes up at ${are || 'no time'}; wrangler.toml says ${shall}`,
        `npm run deploy${option && ` --${option}`}`,
      )
}

/** A backup that is older than this is told. */
const longestMs = 2 * dayMs

function checkBackup(fact: Fact<Backup | null>, now: number): Finding {
  const remedy =
    'npm run backup -- create --url https://… makes one; `backups` in functions/app/config.ts makes them by a schedule'
  if ('unknown' in fact) return unknown('backups', fact.unknown, remedy)
  if (fact.value === null) return warning('backups', 'none was made', remedy)
  const { at, isWhole } = fact.value
  const when = new Date(at).toISOString()
  if (!isWhole)
    return warning(
      'backups',
      `the last, of ${when}, is not whole`,
      'npm run backup -- list --url https://… says why it failed',
    )
  return now - at > longestMs
    ? warning(
        'backups',
        `the last is of ${when}: ${Math.floor((now - at) / dayMs)} days old`,
        'Look whether its schedule still runs',
      )
    : good('backups', `the last is of ${when}`)
}
