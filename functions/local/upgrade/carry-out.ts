/**
 * Upgrades a fork in its folder, to a version of Atoll in another: shows what would change, changes it, and leaves one commit.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { UsageError } from '../../../db/doors/usage-error.ts'
import { compareVersions, forkDuties } from './changelog.ts'
import { type Change, planUpgrade, type UpgradePlan } from './plan-upgrade.ts'
import {
  findBase,
  git,
  gitOrNull,
  isRepository,
  readTree,
  type Tree,
  versionOf,
  withCommit,
} from './trees.ts'

export interface Upgrade {
  /** Folder of the fork. */
  readonly fork: string
  /** Folder with the version that it becomes. */
  readonly source: string
  /** The commit that the source was taken from, when it is no repository itself. */
  readonly commit: string | null
  /** Shows what would be done, and changes nothing. */
  readonly planOnly: boolean
  readonly overwrite: boolean
  /** Whether packages are installed when they have changed. */
  readonly install: boolean
  readonly tell: (line: string) => void
}

export async function carryOut(upgrade: Upgrade): Promise<void> {
  const { fork, source, tell, planOnly, overwrite } = upgrade
  if (!isRepository(fork))
    throw new UsageError(
      'There is no git repository here: git init, commit everything, and run it again. So an upgrade can be undone.',
    )
  const open = git(fork, ['status', '--porcelain']).trim()
  if (open !== '' && !planOnly)
    throw new UsageError(
      `These files are not committed. Commit or stash them first, so that the upgrade can be undone by itself:\n${open}`,
    )
  const [from, to] = [versionOf(fork), versionOf(source)]
  if (compareVersions(to.version, from.version) < 0)
    throw new UsageError(
      `This is Atoll ${from.version}, and ${to.version} is older. To go back, git revert the commit of the upgrade.`,
    )
  const head = upgrade.commit ?? (isRepository(source) ? gitOrNull(source, ['rev-parse', 'HEAD']) : null)
  const isClean = upgrade.commit !== null || gitOrNull(source, ['status', '--porcelain']) === ''
  const base = findBase(fork, source, head)
  const plan = (before: Tree | null) =>
    planUpgrade(before, readTree(fork), readTree(source), {
      overwrite,
      commit: isClean ? head : null,
      mergeText,
    })
  const planned = base
    ? await withCommit(base.repository, base.commit, base.env, (folder) => plan(readTree(folder)))
    : plan(null)

  tell(
    `Atoll ${from.version} → ${to.version}${head ? ` (${head.slice(0, 10)}${isClean ? '' : ' and what is not committed there'})` : ''}`,
  )
  tell(
    base
      ? `compared with the version this fork came from: ${base.commit.slice(0, 10)}, ${base.by}`
      : 'The version of Atoll that this fork came from is not at hand: what of the engine you have changed cannot be told, and is replaced.',
  )
  for (const line of shown(planned, planOnly)) tell(line)
  for (const line of mergedDiffs(fork, planned)) tell(line)
  if (planned.conflicts.length > 0)
    throw new UsageError(
      `Both you and Atoll have changed these files in the same places. Move what is yours into app/, or take Atoll's with --overwrite:\n${planned.conflicts.map((path) => `  ${path}`).join('\n')}`,
    )
  if (planned.changes.length === 0) return tell('There is nothing to change.')
  if (planOnly) return tell('Nothing was changed.')

  apply(fork, planned.changes)
  const installed =
    upgrade.install && changes(planned, 'package-lock.json') ? installPackages(fork, tell) : true
  if (changes(planned, 'wrangler.toml')) updateEnvironments(fork, tell)
  commit(fork, planned, `Upgrade Atoll from ${from.version} to ${to.version}`)
  tell(`Committed as ${git(fork, ['rev-parse', '--short', 'HEAD']).trim()}; git revert HEAD undoes it.`)
  if (installed) showMigrations(fork, tell)
  const duties = forkDuties(readTextOr(join(source, 'CHANGELOG.md'), ''), from.version)
  for (const { version, lines } of duties)
    for (const line of [`What a fork must do for ${version}:`, ...lines]) tell(line)
  tell(
    'Then: npm run check, npm test -- app, npm run dev; and npm run db:migrate -- --remote before you deploy.',
  )
}

const changes = ({ changes }: UpgradePlan, path: string) => changes.some((change) => change.path === path)

function readTextOr(file: string, other: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : other
}

/** What would be done: each file, or how many of each folder. */
function shown({ changes, notes }: UpgradePlan, inFull: boolean): string[] {
  const groups = Map.groupBy(changes, ({ path }) => (path.includes('/') ? `${path.split('/')[0]}/` : path))
  const lines = inFull
    ? changes.map(({ kind, path }) => `  ${kind.padEnd(8)} ${path}`)
    : [...groups].map(([name, inside]) => `  ${name.padEnd(18)} ${counted(inside)}`)
  return [...lines, ...notes.map((note) => `  note     ${note}`)]
}

function counted(changes: readonly Change[]): string {
  const kinds = Map.groupBy(changes, ({ kind }) => kind)
  return [...kinds].map(([kind, inside]) => `${inside.length} ${kind}`).join(', ')
}

/** Differences of files that both have a part in; the lock file's are npm's affair. */
function mergedDiffs(fork: string, { changes }: UpgradePlan): string[] {
  return changes
    .filter(({ kind, path }) => kind === 'merged' && path !== 'package-lock.json')
    .flatMap(({ path, file }) =>
      inFolder((folder) => {
        const after = join(folder, 'after')
        writeFileSync(after, file?.text ?? '', 'latin1')
        const { stdout } = spawnSync(
          'git',
          ['diff', '--no-index', '--no-color', '--', join(fork, path), after],
          {
            encoding: 'utf8',
          },
        )
        return [
          `  ${path}:`,
          ...stdout
            .split('\n')
            .slice(4)
            .map((line) => `    ${line}`.trimEnd()),
        ]
      }),
    )
}

function inFolder<Result>(work: (folder: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'atoll-upgrade-'))
  try {
    return work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** As `git merge` would; null when both have changed the same lines. */
function mergeText(base: string, theirs: string, next: string): string | null {
  return inFolder((folder) => {
    const texts = { theirs, base, next }
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text, 'latin1')
    const { status, stdout } = spawnSync('git', ['merge-file', '-p', '--quiet', ...Object.keys(texts)], {
      cwd: folder,
      encoding: 'latin1',
    })
    return status === 0 ? stdout : null
  })
}

/** Puts everything back when a file cannot be written: nothing else was there that git does not have. */
function apply(fork: string, changes: readonly Change[]): void {
  try {
    for (const { path, file } of changes) {
      const whole = join(fork, path)
      if (file === null) rmSync(whole)
      else {
        mkdirSync(dirname(whole), { recursive: true })
        writeFileSync(whole, file.text, 'latin1')
        chmodSync(whole, file.isExecutable ? 0o755 : 0o644)
      }
    }
  } catch (error) {
    git(fork, ['reset', '--hard', '--quiet'])
    const added = changes.filter(({ kind }) => kind === 'added').map(({ path }) => path)
    if (added.length > 0) git(fork, ['clean', '-fdq', '--', ...added])
    throw error
  }
}

/** @returns whether the packages are there */
function installPackages(fork: string, tell: (line: string) => void): boolean {
  tell('installing packages')
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund'], {
    cwd: fork,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status !== 0) tell('npm install failed: run it again, and commit package-lock.json.')
  return status === 0
}

/** Environments take nothing over from what stands outside of them: what is new there is written into each. */
function updateEnvironments(fork: string, tell: (line: string) => void): void {
  if (!/^\s*\[\[?env\./m.test(readFileSync(join(fork, 'wrangler.toml'), 'utf8'))) return
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join('functions', 'local', 'environments.ts'), 'update'],
    { cwd: fork, encoding: 'utf8' },
  )
  tell(
    status === 0
      ? `environments of wrangler.toml: ${stdout.trim()}`
      : `npm run environments -- update says:\n${stderr.trim()}`,
  )
}

function commit(fork: string, { changes, notes }: UpgradePlan, title: string): void {
  const paths = [...changes.map(({ path }) => path), 'package-lock.json'].filter(
    (path) =>
      existsSync(join(fork, path)) || gitOrNull(fork, ['ls-files', '--error-unmatch', '--', path]) !== null,
  )
  inFolder((folder) => {
    // There are more paths than a command line may hold.
    const list = join(folder, 'paths')
    writeFileSync(list, paths.join('\0'))
    git(fork, ['add', '--all', `--pathspec-from-file=${list}`, '--pathspec-file-nul'])
  })
  try {
    git(fork, [
      'commit',
      '--quiet',
      '-m',
      title,
      ...(notes.length === 0 ? [] : ['-m', notes.map((note) => `- ${note}`).join('\n')]),
    ])
  } catch (error) {
    throw new UsageError(
      `Everything is in place and staged, but git did not commit it: ${(error as { stderr?: string }).stderr?.trim()}\nCommit it yourself, or take it back with git reset --hard.`,
    )
  }
}

/** What the new version would do to the databases of this machine, when there are any. */
function showMigrations(fork: string, tell: (line: string) => void): void {
  if (!existsSync(join(fork, '.wrangler', 'state', 'v3', 'd1'))) return
  tell('What npm run db:migrate would do here:')
  spawnSync(process.execPath, [join('db', 'commands', 'migrate.ts'), '--plan'], {
    cwd: fork,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}
