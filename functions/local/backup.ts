/**
 * `npm run backup`: backups of a server that runs, this machine's or one at `--url`. It makes and restores them by itself: this asks for it, and
 * shows how it goes.
 * @module
 */
import { parseArgs } from 'node:util'
import type { Forgot } from '../../db/backups/forget-erased.ts'
import { UsageError } from '../../db/doors/usage-error.ts'
import type { ShownBackup, ShownErasure, ShownPlan, ShownRun } from '../backups/area.ts'
import { exportTo } from './export-to.ts'
import { readSecretKey } from './keys.ts'
import { root } from './serve.ts'

const usage = `npm run backup -- create [--increment]            of all databases; only what has changed since the last backup
  npm run backup -- list | show ID | runs
  npm run backup -- verify ID                       reads every file, and compares with the manifest
  npm run backup -- restore ID --into empty         all of it, into databases that hold no rows
  npm run backup -- restore ID --into beside [--tables a,b] [--value V] [--conflict lacking|replace]
                                                    beside the rows that are there: those that lack, or in their place
  npm run backup -- restore ID --into place [--tables a,b] [--value V]   as it was then: rows that the backup lacks are taken away
    with [--jobs] jobs that were not over, too; with [--plan] only says what it would do
  npm run backup -- restore --at 2026-11-30T12:00:00Z | --backup ID [--env NAME] [--plan] [--migrate] [--open] [--wait SECONDS]
                                                    all databases at Cloudflare back to one moment, by Time Travel; restore --cancel gives it up
  npm run backup -- prune [--hourly N] [--daily N] [--weekly N] [--monthly N] [--plan]   takes away those that no rule keeps
  npm run backup -- export VALUE [--table invoices]   all rows of a distribution value as JSON lines, of a table as CSV, to standard output
  npm run backup -- export VALUE --to FOLDER         all of it: rows, a CSV for each table, and the files that rows name
  npm run backup -- prune --erased                   keeps all, and lets them forget what was erased
  npm run backup -- erase VALUE [--group customers.id | --table invoices] [--jobs] [--plan | --yes]   all rows of a distribution value, for good
  npm run backup -- cancel RUN | delete ID [--increments]   with those that add to it
  with [--url http://localhost:8787] and the secret key in ATOLL_SECRET_KEY or .dev.vars; [--no-wait] does not stay until it is done`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: {
    url: { type: 'string' },
    into: { type: 'string' },
    tables: { type: 'string' },
    value: { type: 'string' },
    table: { type: 'string' },
    to: { type: 'string' },
    group: { type: 'string' },
    conflict: { type: 'string' },
    hourly: { type: 'string' },
    daily: { type: 'string' },
    weekly: { type: 'string' },
    monthly: { type: 'string' },
    increment: { type: 'boolean' },
    increments: { type: 'boolean' },
    jobs: { type: 'boolean' },
    plan: { type: 'boolean' },
    yes: { type: 'boolean' },
    erased: { type: 'boolean' },
    at: { type: 'string' },
    backup: { type: 'string' },
    env: { type: 'string' },
    wait: { type: 'string' },
    migrate: { type: 'boolean' },
    open: { type: 'boolean' },
    cancel: { type: 'boolean' },
    'no-wait': { type: 'boolean' },
  },
})
const text = (name: string) => values[name] as string | undefined
let address = text('url') ?? 'http://localhost:8787'

/** @throws UsageError with what the server says, when it refuses */
async function send(path: string, method = 'GET', body?: object): Promise<Response> {
  return sendTo(`/backups/v1${path}`, method, body)
}

async function sendTo(path: string, method = 'GET', body?: object): Promise<Response> {
  const key = readSecretKey(root)
  if (key === undefined) throw new UsageError(`There is no secret key.\n${usage}`)
  const answer = await fetch(new URL(path, address), {
    method,
    headers: { apikey: key, 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  if (answer.ok) return answer
  const { message, details, hint } = (await answer.json()) as {
    message?: string
    details?: unknown
    hint?: string
  }
  const why = typeof details === 'string' || details == null ? details : JSON.stringify(details)
  throw new UsageError([message, why, hint].filter(Boolean).join(' '))
}

/** Writes as it comes: it may be much. */
async function exportValue(value: string): Promise<void> {
  const to = text('to')
  if (to !== undefined) {
    const { rows, tables, files, left } = await exportTo(sendTo, value, to)
    console.log(`${rows} rows of ${tables.length} tables and ${files} files are in ${to}`)
    for (const why of left) console.log(`Left out: ${why}`)
    if (left.length > 0) process.exitCode = 1
    return
  }
  const table = text('table') === undefined ? '' : `?table=${encodeURIComponent(text('table') as string)}`
  const { body } = await send(`/export/${encodeURIComponent(value)}${table}`)
  for await (const chunk of body ?? []) process.stdout.write(chunk)
}

/** Asks until nothing is left; without `--yes` it only says what would go. */
async function eraseValue(value: string): Promise<void> {
  const plan = values.yes !== true || values.plan === true
  const body = {
    value,
    plan,
    ...(text('group') === undefined ? {} : { group: text('group') }),
    ...(text('table') === undefined ? {} : { table: text('table') }),
    ...(values.jobs === true ? { jobs: true } : {}),
  }
  for (;;) {
    const answer = await ask<ShownErasure>('/erase', 'POST', body)
    showErasure(answer)
    if (plan) {
      if (values.plan !== true) console.log('Nothing was erased: say --yes.')
      return
    }
    if (answer.done) return
    // Jobs take their time to stop.
    await new Promise((over) => setTimeout(over, 1000))
  }
}

function showErasure({ group, plan, tables, logged, entries, jobs, files, left, done }: ShownErasure): void {
  const verb = plan ? 'would go' : 'gone'
  for (const [name, n] of Object.entries(tables)) console.log(`${name}: ${n} rows ${verb}`)
  console.log(`old and new values of ${logged} entries of the change log ${verb}`)
  if (entries > 0) console.log(`${entries} entries of lookups ${verb}`)
  if (jobs) console.log(`${jobs.removed} jobs ${verb}, of which ${jobs.cancelled} were not over`)
  for (const file of files) console.log(`file ${file}`)
  if (!plan && !done) return
  console.log(`Left of the value in ${group}:`)
  for (const what of left) console.log(`  ${what}`)
}

async function ask<Answer>(path: string, method = 'GET', body?: object): Promise<Answer> {
  const answer = await send(path, method, body)
  return (answer.status === 204 ? {} : await answer.json()) as Answer
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`

function backupLine({ id, refused, parent, finished, rows, bytes, databases }: ShownBackup): string {
  if (refused !== null) return `${id}  ${refused}`
  const which = parent === null ? '' : ` that changed since ${parent}`
  return `${id}  ${finished}  ${rows} rows${which} of ${databases.length} databases, ${megabytes(bytes)}`
}

const toldKind: Readonly<Record<string, string>> = { full: 'backup', increment: 'increment' }

function runLine({ id, kind, backup, state, rows, done, of, error, instead }: ShownRun): string {
  const parts = [
    `${id}  ${toldKind[kind] ?? `${kind} of ${backup}`}`,
    state,
    `${rows} rows`,
    ...(of === null || of === 0 ? [] : [`${done} of ${of} steps`]),
    ...(instead === null ? [] : [`a full backup, as ${instead}`]),
    ...(error === null ? [] : [error]),
  ]
  return parts.join('; ')
}

function showFindings({ findings }: ShownRun): void {
  for (const { check, isRight, says } of findings)
    console.log(`  ${isRight ? 'right' : 'WRONG'}  ${check}: ${says}`)
}

/** Stays until it is over; says so by the exit code when something is wrong. */
async function follow(run: ShownRun): Promise<void> {
  if (values['no-wait']) {
    console.log(runLine(run))
    return
  }
  let last = ''
  for (let now = run; ; ) {
    const line = runLine(now)
    if (line !== last) console.log(line)
    last = line
    if (now.state !== 'waiting' && now.state !== 'running') {
      showFindings(now)
      if (now.state !== 'done' || now.findings.some(({ isRight }) => !isRight)) process.exitCode = 1
      return
    }
    await new Promise((done) => setTimeout(done, 500))
    now = await ask<ShownRun>(`/runs/${run.id}`)
  }
}

function showPlan({ tables, problems, notes }: ShownPlan): void {
  for (const { name, rows, to } of tables) console.log(`${name}: ${rows} rows, to ${to}`)
  for (const note of notes) console.log(note)
  for (const problem of problems) console.log(`In the way: ${problem}`)
  if (problems.length > 0) process.exitCode = 1
}

/** Time Travel is Cloudflare's: what is put back is what is deployed, and not this machine's. */
async function travel(): Promise<void> {
  const { openHands } = await import('./travel-hands.ts')
  const { cancelTravel, travelBack } = await import('./travel-back.ts')
  const { hands, addressOf } = await openHands(root, text('env'))
  if (text('url') === undefined) address = await addressOf()
  if (values.cancel) return cancelTravel(ask, hands)
  const [at, backup] = [text('at'), text('backup')]
  if ((at === undefined) === (backup === undefined)) throw new UsageError(usage)
  if (at !== undefined && Number.isNaN(Date.parse(at))) throw new UsageError(`--at is no time: ${at}`)
  const waitSeconds = Number(text('wait') ?? 30)
  if (!(waitSeconds >= 0)) throw new UsageError(`--wait is no number of seconds: ${text('wait')}`)
  const to = at === undefined ? { backup: backup as string } : { at: new Date(at).toISOString() }
  const isRight = await travelBack(
    ask,
    hands,
    {
      to,
      isPlan: values.plan === true,
      migrates: values.migrate === true,
      opensAnyway: values.open === true,
      waitSeconds,
    },
    (line) => console.log(line),
  )
  if (!isRight) process.exitCode = 1
}

async function run(command: string | undefined, id?: string): Promise<void> {
  if (command === 'create')
    await follow(await ask<ShownRun>('/', 'POST', { increment: values.increment === true }))
  else if (command === 'list') {
    const { backups } = await ask<{ backups: readonly ShownBackup[] }>('/')
    if (backups.length === 0) console.log('There is no backup.')
    for (const backup of backups) console.log(backupLine(backup))
  } else if (command === 'runs') {
    const { runs } = await ask<{ runs: readonly ShownRun[] }>('/runs')
    for (const one of runs) console.log(runLine(one))
  } else if (command === 'show' && id) console.log(JSON.stringify(await ask<object>(`/${id}`), null, 2))
  else if (command === 'export' && id) await exportValue(id)
  else if (command === 'erase' && id) await eraseValue(id)
  else if (command === 'verify' && id) await follow(await ask<ShownRun>(`/${id}/verify`, 'POST'))
  else if (command === 'restore' && !id && (text('at') || text('backup') || values.cancel)) await travel()
  else if (command === 'restore' && id) {
    const body = {
      into: text('into'),
      ...(text('tables') === undefined ? {} : { tables: text('tables')?.split(',') }),
      ...(text('value') === undefined ? {} : { value: text('value') }),
      ...(text('conflict') === undefined ? {} : { conflict: text('conflict') }),
      jobs: values.jobs === true,
    }
    if (values.plan) showPlan(await ask<ShownPlan>(`/${id}/restore`, 'POST', { ...body, plan: true }))
    else await follow(await ask<ShownRun>(`/${id}/restore`, 'POST', body))
  } else if (command === 'prune') {
    const said = ['hourly', 'daily', 'weekly', 'monthly'].filter((name) => text(name) !== undefined)
    const keep =
      said.length === 0 ? {} : { keep: Object.fromEntries(said.map((name) => [name, Number(text(name))])) }
    const { pruned, links, forgot } = await ask<{
      pruned: readonly string[]
      links: readonly string[]
      forgot: readonly Forgot[]
    }>('/prune', 'POST', { ...keep, plan: values.plan === true, erased: values.erased === true })
    if (links.length > 0) console.log(`Kept, as increments add to them: ${links.join(', ')}`)
    for (const { id: backup, rows, refused } of forgot)
      console.log(`${backup}: ${refused ?? `has forgotten ${rows} rows of erased values`}`)
    if (forgot.some(({ refused }) => refused !== null)) process.exitCode = 1
    console.log(
      pruned.length === 0 ? 'All are kept.' : `${values.plan ? 'Would go' : 'Gone'}: ${pruned.join(', ')}`,
    )
  } else if (command === 'cancel' && id)
    console.log(runLine(await ask<ShownRun>(`/runs/${id}/cancel`, 'POST')))
  else if (command === 'delete' && id)
    await ask(`/${id}${values.increments ? '?increments=true' : ''}`, 'DELETE')
  else throw new UsageError(usage)
}

const [command, id] = positionals
try {
  await run(command, id)
} catch (error) {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
  console.error(`${error instanceof Error ? error.message : error} ${cause}`.trim())
  process.exitCode = 1
}
