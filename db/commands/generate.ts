/**
 * `npm run db:generate`: has drizzle-kit write a migration from the changes of `schema.ts`, and says what it will do to the rows that are
 * there. Options are drizzle-kit's own: `-- --name NAME`, `-- --custom` for an empty one to write by hand; and `-- --route-ids TABLES` for one
 * that makes integer ids carry their slots.
 * @module
 */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { root } from '../doors/open-databases.ts'
import { UsageError } from '../doors/usage-error.ts'
import type { Migration } from '../migrate/migration.ts'
import { appMigrations, readMigrations } from '../migrate/migration-files.ts'
import { planOnEmpty } from '../migrate/plan-on-empty.ts'
import { planText } from '../migrate/report.ts'
import { routeIds } from '../migrate/route-ids.ts'
import { differencesOf } from '../migrate/schema-drift.ts'
import { untoldLine } from '../migrate/untold.ts'
import { readAppSchema, readAppTables } from './app-tables.ts'
import { runCommand } from './run-command.ts'

const usage = 'npm run db:generate -- [--name NAME] [--custom | --route-ids TABLE,…]'

await runCommand(usage, async () => {
  const before = readMigrations(appMigrations)
  const { routed, options } = readOptions(process.argv.slice(2))
  const statements = routed.length === 0 ? [] : routeIds((await readAppTables()).catalog, routed)
  const { status, output } = await runDrizzleKit(options)
  if (/Interactive prompts require a TTY/.test(output)) throw new UsageError(await ambiguity(before))
  if (status !== 0) throw new UsageError(`drizzle-kit ended with status ${status}`)
  const after = readMigrations(appMigrations)
  const made = after.filter(({ name }) => !before.some((known) => known.name === name))
  if (made.length === 0) {
    if (output === '' || /No schema changes/.test(output)) return
    throw new UsageError('drizzle-kit has written nothing: what it says stands above.')
  }
  if (statements.length > 0) {
    for (const { name } of made) writeFileSync(join(appMigrations, name), migrationText(statements))
  }
  const planned = planOnEmpty(readMigrations(appMigrations)).filter(({ migration }) =>
    made.some(({ name }) => name === migration.name),
  )
  const report = { database: 'every database', applied: [], done: [], planned, staying: [] }
  for (const line of planText([report])) console.log(line)
  console.log(
    '\nnpm run dev takes it up by itself; npm run db:migrate -- --plan tries it on the rows that are there.',
  )
})

function readOptions(args: readonly string[]): { routed: readonly string[]; options: readonly string[] } {
  const at = args.indexOf('--route-ids')
  if (at < 0) return { routed: [], options: args }
  const routed = (args[at + 1] ?? '').split(',').filter((name) => name !== '')
  if (routed.length === 0) throw new UsageError('--route-ids names tables, with commas between them')
  const rest = args.filter((_, i) => i !== at && i !== at + 1)
  const name = rest.includes('--name') ? [] : ['--name', 'route_ids']
  return { routed, options: ['--custom', ...name, ...rest] }
}

function migrationText(statements: readonly string[]): string {
  return `${untoldLine}\n${statements.map((statement) => `${statement};`).join('\n--> statement-breakpoint\n')}\n`
}

/** drizzle-kit as its own command, on the terminal if there is one: it may have to ask. */
async function runDrizzleKit(args: readonly string[]): Promise<{ status: number; output: string }> {
  const bin = join(dirname(createRequire(import.meta.url).resolve('drizzle-kit')), 'bin.cjs')
  const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true
  const child = spawn(process.execPath, [bin, 'generate', '--config', 'db/drizzle.config.ts', ...args], {
    cwd: root,
    stdio: isTerminal ? 'inherit' : ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      output += chunk
    })
  const status = await new Promise<number>((done, fail) => {
    child.once('close', (code) => done(code ?? 1))
    child.once('error', fail)
  })
  if (!/Interactive prompts require a TTY/.test(output)) process.stdout.write(output)
  return { status, output }
}

async function ambiguity(migrations: readonly Migration[]): Promise<string> {
  const last = migrations.findLast(({ snapshot }) => snapshot !== null)?.snapshot ?? { tables: {} }
  const differences = differencesOf(await readAppSchema(), last)
  return `drizzle-kit must ask whether something is new or has been renamed, and there is no terminal to ask on: ${differences.join('; ')}.
  Run npm run db:generate in a terminal. Or let it be two migrations: generate one with what is new beside what goes, and another one without what goes.`
}
