/**
 * `npm run new [-- --yes]`: begins an app of your own. The folders `app/` become a blank table with comments, local databases and files are
 * forgotten, and the first migration is written.
 * @module
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runCommand } from '../../db/commands/run-command.ts'
import { UsageError } from '../../db/doors/usage-error.ts'
import { root } from './serve.ts'
import { claimState, forgetState, releaseState } from './state-lock.ts'

const usage = 'npm run new -- [--yes]'
const blank = join(import.meta.dirname, 'blank')
const folders = [join('db', 'app'), join('functions', 'app'), join('test', 'app')]

await runCommand(usage, async () => {
  const { values } = parseArgs({ options: { yes: { type: 'boolean', default: false } } })
  const unsaved = unsavedFiles()
  if (!values.yes && unsaved === null)
    throw new UsageError(
      `This takes away what is in ${folders.join(', ')}, and git does not keep it here: say --yes if it may go`,
    )
  if (!values.yes && unsaved !== null && unsaved.length > 0)
    throw new UsageError(
      `These files are not committed, and would be lost: commit them, or say --yes\n${unsaved.map((file) => `  ${file}`).join('\n')}`,
    )
  const state = join(root, '.wrangler', 'state')
  await claimState(state)
  try {
    for (const folder of folders) putBlank(folder)
    forgetState(state)
    writeFirstMigration()
  } finally {
    releaseState(state)
  }
  console.log(`
  The app is yours to fill.${unsaved?.length === 0 ? ' What was there before, git has.' : ''}

    1  Say what your tables are in db/app/schema.ts, and who may do what in db/app/tables.ts; then: npm run db:generate
    2  See it run: npm run dev
    3  Test it: npm test -- app

  functions/local/blank/GUIDE.md goes through it: a table, a policy, a function, in ten minutes.
`)
})

/** What in the folders git does not have as it is; null when git cannot say. */
function unsavedFiles(): string[] | null {
  try {
    const text = execFileSync('git', ['status', '--porcelain', '--', ...folders], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return text.split('\n').filter((line) => line !== '')
  } catch {
    return null
  }
}

/** READMEs stay: they say what belongs where. */
function putBlank(folder: string): void {
  const whole = join(root, folder)
  const kept = existsSync(whole) ? readdirSync(whole).filter((name) => name !== 'README.md') : []
  for (const name of kept) rmSync(join(whole, name), { recursive: true })
  cpSync(join(blank, folder), whole, { recursive: true })
}

function writeFirstMigration(): void {
  const { status } = spawnSync(process.execPath, [join('db', 'commands', 'generate.ts'), '--name', 'first'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (status !== 0) throw new UsageError('The first migration could not be written: npm run db:generate')
}
