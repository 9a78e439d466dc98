/**
 * `npm run shards`: databases and the slots that they have. `list`, `status` and `add` work on the databases themselves; everything else is asked
 * of a server that runs, this machine's or one at `--url`: there moves go on when this command has ended.
 * @module
 */
import { parseArgs } from 'node:util'
import { UsageError } from '../../db/doors/usage-error.ts'
import type { RowsAstray, ShownMove, ShownPlan } from '../shards/area.ts'
import { convertTables } from './convert-tables.ts'
import { readSecretKey } from './keys.ts'
import { root } from './serve.ts'

const usage = `npm run shards -- list | status | add NAME [--remote] [--env NAME]
  npm run shards -- plan [--by bytes|load|both] [--databases DB,SHARD_1] [--threshold 0.1]   what a rebalance would move
  npm run shards -- rebalance [--by …] [--databases …] [--threshold 0.1]   until databases bear about the same
  npm run shards -- move SLOTS TO                                    as move 0-99,200 SHARD_2
  npm run shards -- isolate VALUE [TO]                               the slot of a distribution value, to an empty database
  npm run shards -- drain NAME [--to SHARD_1,SHARD_2]                all slots of a database
  npm run shards -- remove NAME                                      forgets a database that has nothing left
  npm run shards -- check [NAME]                                     looks for rows on databases that do not have their slots
  npm run shards -- convert [--plan] [--wait SECONDS] | convert status | convert cancel   tables come to lie where tables.ts says
  npm run shards -- moves | watch | pause ID | resume ID | cancel ID
  with [--url http://localhost:8787] and the secret key in ATOLL_SECRET_KEY or .dev.vars`

const own = new Set(['list', 'status'])

const { values, positionals } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: {
    url: { type: 'string' },
    databases: { type: 'string' },
    by: { type: 'string' },
    to: { type: 'string' },
    threshold: { type: 'string' },
    plan: { type: 'boolean' },
    wait: { type: 'string' },
  },
})
const text = (name: string) => values[name] as string | undefined

async function ask<Answer>(path: string, init: { method?: string; body?: object } = {}): Promise<Answer> {
  const key = readSecretKey(root)
  if (key === undefined) throw new UsageError(`There is no secret key.\n${usage}`)
  const answer = await fetch(new URL(`/shards/v1${path}`, text('url') ?? 'http://localhost:8787'), {
    method: init.method ?? 'GET',
    headers: { apikey: key, 'content-type': 'application/json' },
    ...(init.body ? { body: JSON.stringify(init.body) } : {}),
  })
  const said = answer.status === 204 ? {} : await answer.json()
  if (answer.ok) return said as Answer
  const { message, details, hint } = said as { message?: string; details?: unknown; hint?: string }
  const why = typeof details === 'string' || details == null ? details : JSON.stringify(details)
  throw new UsageError([message && `${message}.`, why, hint].filter(Boolean).join(' '))
}

interface Moves {
  readonly moves: readonly ShownMove[]
}

function line({
  id,
  from,
  to,
  slots,
  state,
  phase,
  done,
  rows,
  rowsPerSecond,
  lag,
  strays,
  pauses,
  expectedEnd,
  error,
}: ShownMove): string {
  const parts = [
    `${id}  ${from} -> ${to}  ${slots}`,
    phase === null || phase === state ? state : `${state}, ${phase}`,
    `${Math.round(done * 100)} %`,
    `${rows} rows${rowsPerSecond === null ? '' : `, ${rowsPerSecond} a second`}`,
    ...(lag > 0 ? [`${lag} changes behind`] : []),
    ...(strays > 0 ? [`${strays} rows left at ${from}: see check`] : []),
    `${pauses.count} pieces, closed ${pauses.longestMs} ms at most`,
    ...(expectedEnd === null ? [] : [`until about ${expectedEnd}`]),
    ...(error === null ? [] : [error]),
  ]
  return parts.join('; ')
}

function show({ moves }: Moves): void {
  if (moves.length === 0) console.log('Nothing moves.')
  for (const move of moves) console.log(line(move))
}

const list = (name: string) => text(name)?.split(',')
const threshold = () => (text('threshold') === undefined ? {} : { threshold: Number(text('threshold')) })

async function watch(): Promise<void> {
  for (;;) {
    const { moves } = await ask<Moves>('/moves')
    const open = moves.filter(({ phase }) => phase !== null)
    show({ moves: open })
    if (open.every(({ state }) => state === 'paused')) return
    await new Promise((done) => setTimeout(done, 1000))
  }
}

/** @param name null: all databases */
async function check(name: string | null): Promise<void> {
  const { databases } = await ask<{ databases: readonly { readonly name: string }[] }>('/')
  let strays = 0
  for (const database of name === null ? databases.map((one) => one.name) : [name]) {
    let looked = 0
    for (let next: string | null = ''; next !== null; ) {
      const query: string = next === '' ? '' : `?after=${next}`
      const found: RowsAstray = await ask<RowsAstray>(`/databases/${database}/strays${query}`)
      for (const { table, key, slot, owner } of found.rows)
        console.log(`${database} has ${table} ${JSON.stringify(key)} of slot ${slot}, which ${owner} has`)
      looked += found.looked
      strays += found.found
      next = found.next
    }
    console.log(`${database}: ${looked} rows looked at`)
  }
  if (strays > 0) throw new Error(`${strays} rows lie where their slots are not.`)
}

async function run(command: string | undefined, first?: string, second?: string): Promise<void> {
  const post = (path: string, body: object) => ask<Moves>(path, { method: 'POST', body })
  if (command === 'plan') {
    const query = new URLSearchParams()
    for (const name of ['by', 'databases', 'threshold']) if (text(name)) query.set(name, text(name) as string)
    const { moves } = await ask<{ moves: readonly ShownPlan[] }>(`/plan?${query}`)
    if (moves.length === 0) console.log('Nothing is worth moving.')
    for (const { from, to, slots, slotCount, bytes, seconds, longestPauseMs } of moves) {
      const took =
        seconds === null
          ? ''
          : `, some ${seconds} s, slots closed for ${longestPauseMs} ms at most by what moves took`
      console.log(
        `${from} -> ${to}  ${slotCount} slots, about ${(bytes / 1e6).toFixed(1)} MB${took}: ${slots}`,
      )
    }
  } else if (command === 'rebalance') {
    const databases = list('databases')
    const by = text('by')
    show(
      await post('/rebalance', {
        ...(databases ? { databases } : {}),
        ...(by ? { by } : {}),
        ...threshold(),
      }),
    )
  } else if (command === 'move' && first && second) show(await post('/moves', { slots: first, to: second }))
  else if (command === 'isolate' && first)
    show(await post('/isolate', { value: first, ...(second ? { to: second } : {}) }))
  else if (command === 'drain' && first) {
    const to = list('to')
    show(await post('/drain', { database: first, ...(to ? { to } : {}) }))
  } else if (command === 'remove' && first) {
    await ask(`/databases/${first}`, { method: 'DELETE' })
    console.log(
      `${first} has nothing left. Take its binding out of wrangler.toml and deploy; then delete the database.`,
    )
  } else if (command === 'convert') {
    const address = new URL(text('url') ?? 'http://localhost:8787')
    await convertTables(ask, first, {
      plan: values.plan === true,
      wait: text('wait') === undefined ? null : Number(text('wait')),
      isLocal: ['localhost', '127.0.0.1', '[::1]'].includes(address.hostname),
    })
  } else if (command === 'check') await check(first ?? null)
  else if (command === 'moves') show(await ask<Moves>('/moves'))
  else if (command === 'watch') await watch()
  else if (['pause', 'resume', 'cancel'].includes(command ?? '') && first)
    console.log(line(await ask<ShownMove>(`/moves/${first}/${command}`, { method: 'POST' })))
  else throw new UsageError(usage)
}

const [command, first, second] = positionals
if (own.has(command ?? '')) await import('../../db/commands/shards.ts')
else if (command === 'add') await import('./add-shard.ts')
else {
  try {
    await run(command, first, second)
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
    console.error(`${error instanceof Error ? error.message : error} ${cause}`.trim())
    process.exitCode = 1
  }
}
