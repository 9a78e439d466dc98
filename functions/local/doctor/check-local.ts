/**
 * What facts of this machine mean.
 * @module
 */
import type { Configured, Fact, LocalFacts, Versions } from './facts.ts'
import { type Finding, fault, good, unknown, warning } from './findings.ts'
import { limits, nearly } from './limits.ts'

export function checkLocal(facts: LocalFacts): Finding[] {
  return [
    ...checkVersions(facts.versions),
    facts.appFault === null ? good('app', 'can be served') : fault('app', facts.appFault, 'npm run check'),
    ...('unknown' in facts.configured
      ? [fault('wrangler.toml', facts.configured.unknown, 'Mend it as it says')]
      : checkConfigured(facts.configured.value, facts)),
    checkVariables(facts),
    checkCache(facts.cacheUrl, 'in .dev.vars'),
    checkDrift(facts.drift, 'local databases', 'npm run db:migrate'),
    checkBundle(facts),
    checkStartup(facts),
  ]
}

function checkVersions({ engine, node, wrangler, miniflare, workerd, wanted, others }: Versions): Finding[] {
  const apart = wanted.filter(
    ({ name, version }) =>
      ({ workerd, miniflare, wrangler })[name] !== undefined &&
      { workerd, miniflare, wrangler }[name] !== version,
  )
  const major = Number(node.split('.')[0])
  return [
    major >= 24
      ? good('versions', `Atoll ${engine}, Node ${node}, wrangler ${wrangler}, workerd ${workerd}`)
      : fault('versions', `Node ${node} is too old: npm scripts use the one in node_modules`, 'npm ci'),
    ...(apart.length === 0
      ? []
      : [
          fault(
            'versions',
            `wrangler and workerd do not belong together: ${apart.map(({ by, name, version }) => `${by} wants ${name} ${version}`).join(', ')}`,
            "npm ci; pin wrangler, miniflare and @cloudflare/vitest-plugin as Atoll's package.json does",
          ),
        ]),
    ...(others.length === 0
      ? []
      : [
          fault(
            'packages',
            others
              .map(
                ({ name, pinned, found }) =>
                  `${name} is ${found ?? 'not installed'}, and package.json says ${pinned}`,
              )
              .join('\n'),
            'npm ci',
          ),
        ]),
  ]
}

function checkConfigured(
  configured: Configured,
  { scheduled, buckets, maxStatementsPerRequest: most }: LocalFacts,
): Finding[] {
  const { databases, crons, sentTo, takenFrom, hasBucket, rateLimits, drift } = configured
  const untaken = sentTo.filter((queue) => !takenFrom.includes(queue))
  const twice = rateLimits.filter(({ id }, i) => rateLimits.findIndex((other) => other.id === id) !== i)
  const { queriesPerRequest, cpuMs } = limits.free
  return [
    databases.includes('DB')
      ? good('databases', databases.join(', '))
      : fault(
          'databases',
          'wrangler.toml binds no database as DB',
          'Add a [[d1_databases]] with binding = "DB"',
        ),
    ...(databases.length <= limits.free.databases
      ? []
      : [
          warning(
            'plan',
            `${databases.length} databases; Workers Free has ${limits.free.databases} to an account`,
            'Take Workers Paid, or have fewer shards',
          ),
        ]),
    most !== null && most <= queriesPerRequest
      ? good(
          'plan',
          `a request runs ${most} statements at most, which Workers Free bears; ${cpuMs} ms of processor time to a request are for you to measure`,
        )
      : warning(
          'plan',
          `a request may run ${most ?? 'any number of'} statements; Workers Free ends it at ${queriesPerRequest} queries, and at ${cpuMs} ms of processor time`,
          `On Workers Free, set maxStatementsPerRequest: ${queriesPerRequest} in functions/app/config.ts; on Workers Paid there is nothing to do`,
        ),
    crons.length > 0
      ? good(
          'clock',
          `wakes up at ${crons.join(', ')}${scheduled.length > 0 ? `, for ${scheduled.join(', ')} among others` : ''}`,
        )
      : fault(
          'clock',
          scheduled.length > 0
            ? `nothing wakes what schedules start: ${scheduled.join(', ')}`
            : 'nothing wakes the relays of a deployment that nobody asks',
          'Add [triggers] with crons = ["*/5 * * * *"] to wrangler.toml',
        ),
    ...(untaken.length === 0
      ? []
      : [
          fault(
            'queues',
            `nobody takes from ${untaken.join(', ')}`,
            'Add a [[queues.consumers]] for each to wrangler.toml',
          ),
        ]),
    ...(hasBucket || buckets === 0
      ? []
      : [
          fault(
            'files',
            'the app declares buckets, and wrangler.toml binds no BUCKET',
            'Add a [[r2_buckets]] with binding = "BUCKET"',
          ),
        ]),
    ...(twice.length === 0
      ? []
      : [
          fault(
            'rate limits',
            `${twice.map(({ name }) => name).join(', ')} counts together with another: they share a namespace_id`,
            'Give each a namespace_id of its own, in each environment',
          ),
        ]),
    ...(drift.length === 0
      ? []
      : [fault('environments', drift.join('\n'), 'npm run environments -- update')]),
  ]
}

function checkVariables({ localVariables }: LocalFacts): Finding {
  if (localVariables === null) return good('local keys', 'npm run dev makes them')
  const missing = keyNames.filter((name) => !localVariables.names.includes(name))
  if (missing.length > 0)
    return warning('local keys', `.dev.vars lacks ${missing.join(', ')}`, 'npm run dev makes what is missing')
  return localVariables.isOpen
    ? warning('local keys', 'other users of this machine may read .dev.vars', 'chmod 600 .dev.vars')
    : good('local keys', 'are in .dev.vars')
}

export const keyNames = ['ATOLL_PUBLISHABLE_KEY', 'ATOLL_SECRET_KEY', 'ATOLL_JWT_SECRET'] as const

/** Regions as old addresses of Upstash begin with them. */
const upstashRegions: Readonly<Record<string, string>> = {
  us1: 'us-east-1',
  usw1: 'us-west-1',
  usw2: 'us-west-2',
  eu1: 'eu-west-1',
  eu2: 'eu-central-1',
  apn1: 'ap-northeast-1',
  aps1: 'ap-southeast-1',
}

/** @param where the address was read */
export function checkCache(url: Fact<string | null>, where: string): Finding {
  if ('unknown' in url) return unknown('cache', url.unknown)
  if (url.value === null)
    return good(
      'cache',
      `in memory: no UPSTASH_REDIS_REST_URL ${where}; isolates do not share what they keep`,
    )
  if (!URL.canParse(url.value))
    return fault(
      'cache',
      `UPSTASH_REDIS_REST_URL is no address: ${url.value}`,
      'Copy it from the Upstash console, with https://',
    )
  const { protocol, hostname } = new URL(url.value)
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
  if (protocol !== 'https:' && !isHere)
    return fault(
      'cache',
      `${hostname} is asked without TLS: its token and all answers go over the network as they are`,
      'Write https:// in UPSTASH_REDIS_REST_URL',
    )
  const region = upstashRegions[/^([a-z]+\d)-/.exec(hostname)?.[1] ?? '']
  return region === undefined && !isHere
    ? unknown(
        'cache',
        `${hostname} is asked by TLS; its address does not say in which region it is`,
        'Look in the Upstash console: its primary region should be the one closest to DB, as every cached read asks it',
      )
    : good(
        'cache',
        isHere
          ? `${hostname}, on this machine`
          : `${hostname} is asked by TLS, in ${region}: that should be close to DB`,
      )
}

export function checkDrift(drift: Fact<string | null>, about: string, remedy: string): Finding {
  if ('unknown' in drift) return unknown(about, drift.unknown)
  return drift.value === null ? good(about, 'are what the code says') : fault(about, drift.value, remedy)
}

const megabytes = (bytes: number) => `${(bytes / 1_000_000).toFixed(1)} MB`

function checkBundle({ bundle }: LocalFacts): Finding {
  if ('unknown' in bundle) return fault('bundle', bundle.unknown, 'npm run check')
  const { bytes, gzipBytes } = bundle.value
  const says = `${megabytes(bytes)}, ${megabytes(gzipBytes)} compressed, of ${megabytes(limits.bundleBytes)} that a Worker may have`
  return bytes < limits.bundleBytes * nearly
    ? good('bundle', says)
    : (bytes < limits.bundleBytes ? warning : fault)(
        'bundle',
        says,
        'Import less: npx wrangler deploy --dry-run --metafile says what is large',
      )
}

function checkStartup({ startupMs }: LocalFacts): Finding {
  if ('unknown' in startupMs) return unknown('start-up', startupMs.unknown)
  const says = `${Math.round(startupMs.value)} ms on this machine, of ${limits.startupMs} that Cloudflare allows on its own`
  return startupMs.value < limits.startupMs * nearly
    ? good('start-up', says)
    : warning(
        'start-up',
        says,
        'Do less where modules are loaded: npx wrangler check startup shows what takes long',
      )
}
