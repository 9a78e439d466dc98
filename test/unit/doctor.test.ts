import { describe, expect, it } from 'vitest'
import { checkLocal } from '../../functions/local/doctor/check-local.ts'
import { checkRemote } from '../../functions/local/doctor/check-remote.ts'
import type { Configured, LocalFacts, RemoteFacts, Versions } from '../../functions/local/doctor/facts.ts'
import { type Finding, findingLines } from '../../functions/local/doctor/findings.ts'

const versions: Versions = {
  engine: '0.2.0',
  node: '24.1.0',
  wrangler: '4.1.0',
  miniflare: '5.1.0',
  workerd: '1.1.0',
  wanted: [
    { by: 'wrangler', name: 'workerd', version: '1.1.0' },
    { by: 'miniflare', name: 'workerd', version: '1.1.0' },
  ],
  others: [],
}
const configured: Configured = {
  worker: 'shop',
  databases: ['DB', 'SHARD_1'],
  crons: ['*/5 * * * *'],
  sentTo: ['shop-jobs'],
  takenFrom: ['shop-jobs'],
  hasBucket: true,
  rateLimits: [
    { name: 'KEY_RATE_LIMIT', id: '1' },
    { name: 'CALLER_RATE_LIMIT', id: '2' },
  ],
  drift: [],
}
const local: LocalFacts = {
  versions,
  configured: { value: configured },
  appFault: null,
  scheduled: ['nightly'],
  buckets: 1,
  maxStatementsPerRequest: 50,
  localVariables: {
    names: ['ATOLL_PUBLISHABLE_KEY', 'ATOLL_SECRET_KEY', 'ATOLL_JWT_SECRET'],
    isOpen: false,
  },
  cacheUrl: { value: 'https://eu1-a-b-1.upstash.io' },
  drift: { value: null },
  bundle: { value: { bytes: 2_000_000, gzipBytes: 500_000 } },
  startupMs: { value: 200 },
}
const database = {
  binding: 'DB',
  name: 'shop',
  isThere: true,
  region: 'WEUR',
  isReplicated: true,
  bytes: 1_000_000,
}
const shard = { ...database, binding: 'SHARD_1', name: 'shop-1' }
const now = Date.UTC(2026, 10, 30)
const day = 86_400_000
const remote: RemoteFacts = {
  plan: { value: 'free' },
  databasesInAccount: { value: 2 },
  databases: { value: [database, shard] },
  variables: {
    value: [
      'ATOLL_PUBLISHABLE_KEY',
      'ATOLL_SECRET_KEY',
      'ATOLL_JWKS_URL',
      'UPSTASH_REDIS_REST_URL',
      'UPSTASH_REDIS_REST_TOKEN',
    ],
  },
  queues: { value: new Map([['shop-jobs', true]]) },
  buckets: { value: new Map([['shop', true]]) },
  crons: { value: ['*/5 * * * *'] },
  drift: { value: null },
  lastBackup: { value: { at: now - day, isWhole: true } },
}
const expected = { crons: ['*/5 * * * *'], maxStatementsPerRequest: 50, option: ' --env staging' }

/** What is not good, as it is printed. */
const told = (findings: readonly Finding[]) =>
  findings
    .filter(({ state }) => state !== 'good')
    .map(({ state, about, says, remedy }) => `${state} ${about}: ${says}${remedy ? ` → ${remedy}` : ''}`)
const withConfigured = (change: Partial<Configured>) => ({
  configured: { value: { ...configured, ...change } },
})
const withVersions = (change: Partial<Versions>) => ({ versions: { ...versions, ...change } })

describe('npm run doctor', () => {
  it('finds nothing where nothing is wrong', () => {
    expect(told(checkLocal(local))).toEqual([])
  })

  it.each<[what: string, change: Partial<LocalFacts>, wanted: RegExp]>([
    [
      'an old Node',
      withVersions({ node: '22.12.0' }),
      /^fault versions: Node 22\.12\.0 is too old.* → npm ci$/,
    ],
    [
      'another workerd than wrangler wants',
      withVersions({ workerd: '1.2.0' }),
      /^fault versions: .*wrangler wants workerd 1\.1\.0, miniflare wants workerd 1\.1\.0 → npm ci; pin/,
    ],
    [
      'packages that are not those of package.json',
      withVersions({ others: [{ name: 'hono', pinned: '4.1.0', found: null }] }),
      /^fault packages: hono is not installed, and package.json says 4\.1\.0 → npm ci$/,
    ],
    ['an app that cannot be served', { appFault: 'x: y' }, /^fault app: x: y → npm run check$/],
    ['no configuration', { configured: { unknown: 'no such file' } }, /^fault wrangler\.toml: no such file/],
    [
      'no DB',
      withConfigured({ databases: ['SHARD_1'] }),
      /^fault databases: .*DB → Add a \[\[d1_databases\]\]/,
    ],
    [
      'more databases than the free plan has',
      withConfigured({ databases: ['DB', ...Array.from({ length: 10 }, (_, i) => `SHARD_${i + 1}`)] }),
      /^warning plan: 11 databases; Workers Free has 10/,
    ],
    [
      'more statements to a request than the free plan has',
      { maxStatementsPerRequest: 1000 },
      /^warning plan: .*1000 statements; Workers Free ends it at 50 queries, and at 10 ms/,
    ],
    [
      'no bound on statements',
      { maxStatementsPerRequest: null },
      /^warning plan: .*any number of statements/,
    ],
    [
      'schedules that nothing wakes',
      withConfigured({ crons: [] }),
      /^fault clock: nothing wakes what schedules start: nightly → Add \[triggers\]/,
    ],
    [
      'a queue that nobody takes from',
      withConfigured({ takenFrom: [] }),
      /^fault queues: nobody takes from shop-jobs/,
    ],
    ['buckets without a binding', withConfigured({ hasBucket: false }), /^fault files: .*no BUCKET/],
    [
      'rate limits that count together',
      withConfigured({ rateLimits: configured.rateLimits.map(({ name }) => ({ name, id: '1' })) }),
      /^fault rate limits: CALLER_RATE_LIMIT counts together/,
    ],
    [
      'environments that differ',
      withConfigured({ drift: ['staging lacks QUEUE'] }),
      /^fault environments: .*QUEUE → npm run env/,
    ],
    [
      'a key that is missing',
      { localVariables: { names: ['ATOLL_SECRET_KEY'], isOpen: false } },
      /^warning local keys: .*lacks ATOLL_PUBLISHABLE_KEY, ATOLL_JWT_SECRET/,
    ],
    [
      'keys that others may read',
      { localVariables: { names: local.localVariables?.names ?? [], isOpen: true } },
      /^warning local keys: .*→ chmod 600 \.dev\.vars$/,
    ],
    [
      'Redis without TLS',
      { cacheUrl: { value: 'http://a.upstash.io' } },
      /^fault cache: a\.upstash\.io is asked without TLS/,
    ],
    ['an address that is none', { cacheUrl: { value: 'a.upstash.io' } }, /^fault cache: .*no address/],
    [
      'a region that the address does not say',
      { cacheUrl: { value: 'https://a.upstash.io' } },
      /^unknown cache: .*Upstash console/,
    ],
    [
      'databases that differ',
      { drift: { value: 'DB lacks 0001_a.sql' } },
      /^fault local databases: .*→ npm run db:migrate$/,
    ],
    [
      'a bundle near its limit',
      { bundle: { value: { bytes: 60_000_000, gzipBytes: 1 } } },
      /^warning bundle: 60\.0 MB/,
    ],
    [
      'a bundle beyond it',
      { bundle: { value: { bytes: 70_000_000, gzipBytes: 1 } } },
      /^fault bundle: 70\.0 MB/,
    ],
    ['a slow start', { startupMs: { value: 900 } }, /^warning start-up: 900 ms/],
  ])('tells of %s, with the remedy', (_, change, wanted) => {
    expect(told(checkLocal({ ...local, ...change }))).toEqual([expect.stringMatching(wanted)])
  })

  it('says what a secret hides, and nothing else, of a deployment where nothing is wrong', () => {
    expect(told(checkRemote(remote, expected, now))).toEqual([
      expect.stringMatching(/^unknown cache: in Redis; a secret cannot be read/),
    ])
  })

  it.each<[what: string, change: Partial<RemoteFacts>, wanted: readonly RegExp[]]>([
    [
      'no Worker',
      { variables: { value: null } },
      [/^fault Worker: was never deployed → npm run deploy -- --env staging$/],
    ],
    [
      'missing secrets, and half of the cache’s',
      { variables: { value: ['ATOLL_PUBLISHABLE_KEY', 'UPSTASH_REDIS_REST_URL'] } },
      [
        /^fault secrets: ATOLL_SECRET_KEY, ATOLL_JWT_SECRET missing → npx wrangler secret put NAME --env staging/,
        /^fault cache: only one of/,
      ],
    ],
    [
      'a database that is not there',
      { databases: { value: [database, { ...shard, isThere: false }] } },
      [/^fault databases: SHARD_1 \(shop-1\) missing/],
    ],
    [
      'replication that is off',
      { databases: { value: [database, { ...shard, isReplicated: false }] } },
      [/^warning replication: off for SHARD_1 \(shop-1\).* → readReplicas: true/],
    ],
    [
      'databases that lie apart',
      { databases: { value: [database, { ...shard, region: 'ENAM' }] } },
      [/^warning locations: .*WEUR: DB; ENAM: SHARD_1/],
    ],
    [
      'a location that is not told',
      { databases: { value: [database, { ...shard, region: null }] } },
      [/^unknown locations/],
    ],
    [
      'a database that is nearly full, for the free plan',
      { databases: { value: [database, { ...shard, bytes: 450_000_000 }] } },
      [/^warning sizes: SHARD_1 \(shop-1\) near 0\.5 GB/],
    ],
    [
      'an account with no room for a shard',
      { databasesInAccount: { value: 10 } },
      [/^warning plan: Workers Free, 10 databases/],
    ],
    [
      'a plan that nobody tells',
      { plan: { unknown: 'not told' }, databasesInAccount: { unknown: 'refused' } },
      [/^unknown plan: not told; how many databases the account has is not known \(refused\)/],
    ],
    [
      'queues that are not there',
      { queues: { value: new Map([['shop-jobs', false]]) } },
      [/^fault queues: shop-jobs missing/],
    ],
    [
      'a bucket that is not there',
      { buckets: { value: new Map([['shop', false]]) } },
      [/^fault R2: shop missing/],
    ],
    ['R2 that is off', { buckets: { value: null } }, [/^fault R2: is not switched on/]],
    [
      'another clock',
      { crons: { value: [] } },
      [/^fault clock: wakes up at no time; wrangler\.toml says \*\/5/],
    ],
    [
      'a schema that is behind',
      { drift: { value: 'DB lacks a' } },
      [/^fault schema: DB lacks a → npm run db:migrate -- --remote --env staging$/],
    ],
    ['no backup', { lastBackup: { value: null } }, [/^warning backups: none was made/]],
    [
      'an old backup',
      { lastBackup: { value: { at: now - 5 * day, isWhole: true } } },
      [/^warning backups: .*5 days old/],
    ],
    [
      'a backup that is not whole',
      { lastBackup: { value: { at: now, isWhole: false } } },
      [/^warning backups: .*not whole/],
    ],
  ])('tells of %s where it is deployed', (_, change, wanted) => {
    const findings = told(checkRemote({ ...remote, ...change }, expected, now))
    const others = findings.filter((line) => !line.startsWith('unknown cache: in Redis'))
    expect(others).toEqual(wanted.map((line) => expect.stringMatching(line)))
  })

  it('takes an account with more databases than the free plan has for one that pays', () => {
    const paid = { ...remote, plan: { unknown: 'not told' }, databasesInAccount: { value: 11 } }
    expect(checkRemote(paid, expected, now)[0]).toMatchObject({ state: 'good', about: 'plan' })
  })

  it('prints what is to be done below what was found', () => {
    expect(
      findingLines([
        { about: 'a', state: 'good', says: 'is' },
        { about: 'bcd', state: 'fault', says: 'one\ntwo', remedy: 'three' },
      ]),
    ).toEqual(['ok         a    is', 'FAULT      bcd  one\n                two', '                → three'])
  })
})
