/**
 * `npm run db:generate`: has drizzle-kit write a migration from the changes of `schema.ts`, and says what it will do to the rows that are
 * there. Options are drizzle-kit's own: `-- --name NAME`, `-- --custom` for an empty one to write by hand.
 * @module
 */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Migration } from '../migrate/migration.ts'
import { appMigrations, readMigrations } from '../migrate/migration-files.ts'
import { planOnEmpty } from '../migrate/plan-on-empty.ts'
import { planText } from '../migrate/report.ts'
import { differencesOf } from '../migrate/schema-drift.ts'
import { root } from '../open-databases.ts'
import { UsageError } from '../usage-error.ts'
import { readAppSchema } from './app-tables.ts'
import { runCommand } from './run-command.ts'

const usage = 'npm run db:generate -- [--name NAME] [--custom]'

await runCommand(usage, async () => {
  const before = readMigrations(appMigrations)
  const { status, output } = await runDrizzleKit(process.argv.slice(2))
  if (/Interactive prompts require a TTY/.test(output)) throw new UsageError(await ambiguity(before))
  if (status !== 0) throw new UsageError(`drizzle-kit ended with status ${status}`)
  const after = readMigrations(appMigrations)
  const made = after.filter(({ name }) => !before.some((known) => known.name === name))
  if (made.length === 0) {
    if (output === '' || /No schema changes/.test(output)) return
    throw new UsageError('drizzle-kit has written nothing: what it says stands above.')
  }
  const planned = planOnEmpty(after).filter(({ migration }) =>
    made.some(({ name }) => name === migration.name),
  )
  for (const line of planText([{ database: 'every database', applied: [], done: [], planned }]))
    console.log(line)
  console.log(
    '\nnpm run dev takes it up by itself; npm run db:migrate -- --plan tries it on the rows that are there.',
  )
})

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
