/**
 * Versions of the engine and of a fork as files: of a folder, or of a commit. Built on git and Node alone, as the folder of a new version has no
 * packages.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { UsageError } from '../../../db/doors/usage-error.ts'

export interface TreeFile {
  readonly text: string
  readonly isExecutable: boolean
}

/** Files by their paths, with `/` between folders. */
export type Tree = ReadonlyMap<string, TreeFile>

/** What no version consists of. */
const passedOver = /^(?:node_modules|\.git|\.wrangler)$|^\.dev\.vars(?!\.example$)|\.log$/

/** @throws Error with what git says */
export function git(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): string {
  return execFileSync('git', args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 2 ** 28,
    env: { ...process.env, ...env },
  })
}

/** What git says, or null when it cannot. */
export function gitOrNull(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): string | null {
  try {
    return git(folder, args, env).trim()
  } catch {
    return null
  }
}

/** Whether a folder is the top of a repository. */
export function isRepository(folder: string): boolean {
  return existsSync(join(folder, '.git'))
}

/** The files of a folder as they are now; those that git ignores are left out. */
export function readTree(folder: string): Tree {
  const listed = isRepository(folder)
    ? git(folder, ['ls-files', '-z', '--cached', '--others', '--exclude-standard'])
        .split('\0')
        .filter(Boolean)
    : walk(folder)
  const files = [...new Set(listed)].sort().filter((file) => existsSync(join(folder, file)))
  return new Map(
    files.map((file) => {
      const path = join(folder, file)
      const isExecutable = (statSync(path).mode & 0o100) !== 0
      return [file, { text: readFileSync(path, 'latin1'), isExecutable }]
    }),
  )
}

function walk(folder: string, top = folder): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (passedOver.test(entry.name)) return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return walk(path, top)
    return entry.isFile() ? [relative(top, path).replaceAll('\\', '/')] : []
  })
}

/** Puts the files of a commit into a folder of their own, for as long as some work takes. */
export async function withCommit<Result>(
  repository: string,
  commit: string,
  env: Readonly<Record<string, string>>,
  work: (folder: string) => Promise<Result> | Result,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'atoll-version-'))
  try {
    const archive = execFileSync('git', ['archive', '--format=tar', commit], {
      cwd: repository,
      maxBuffer: 2 ** 28,
      env: { ...process.env, ...env },
    })
    execFileSync('tar', ['-xf', '-', '-C', folder], { input: archive })
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What of a `package.json` says which version of the engine it is. */
export interface EngineVersion {
  /** The project's: `atoll`, until a fork gives itself another. */
  readonly name: string
  readonly version: string
  /** The commit that an upgrade took it from. */
  readonly commit: string | null
}

/** @throws UsageError when it is not Atoll's, nor a fork's */
export function versionOf(folder: string): EngineVersion {
  const file = join(folder, 'package.json')
  if (!existsSync(file) || !existsSync(join(folder, 'functions', 'gateway.ts')))
    throw new UsageError(`${folder} holds neither Atoll nor a fork of it`)
  const {
    name = '',
    version = '0.0.0',
    atoll,
  } = JSON.parse(readFileSync(file, 'utf8')) as {
    name?: string
    version?: string
    atoll?: { version?: string; commit?: string }
  }
  return { name, version: atoll?.version ?? version, commit: atoll?.commit ?? null }
}

/** A commit of Atoll that a fork came from, and where git finds it. */
export interface Base {
  readonly commit: string
  readonly repository: string
  readonly env: Readonly<Record<string, string>>
  /** How it was found, for people. */
  readonly by: string
}

/**
 * The version of Atoll that a fork came from: the commit that its last upgrade noted, else the last that both histories share, else the tag of its
 * version.
 *
 * @returns null when none of them is at hand
 */
export function findBase(fork: string, source: string, sourceCommit: string | null): Base | null {
  const { version, commit } = versionOf(fork)
  const objects = gitOrNull(source, ['rev-parse', '--path-format=absolute', '--git-path', 'objects'])
  // Reads the other repository's commits as well, without taking them over.
  const env: Record<string, string> =
    isRepository(source) && objects ? { GIT_ALTERNATE_OBJECT_DIRECTORIES: objects } : {}
  const exists = (name: string) =>
    gitOrNull(fork, ['rev-parse', '--verify', '--quiet', `${name}^{commit}`], env)
  const noted = commit === null ? null : exists(commit)
  if (noted) return { commit: noted, repository: fork, env, by: 'noted by the last upgrade' }
  const shared =
    sourceCommit === null || commit !== null
      ? null
      : gitOrNull(fork, ['merge-base', 'HEAD', sourceCommit], env)
  if (shared && isOfVersion(fork, shared, env))
    return { commit: shared, repository: fork, env, by: 'the last commit that both share' }
  const tag = `v${version}`
  const tagged =
    (isRepository(source) &&
      gitOrNull(source, ['rev-parse', '--verify', '--quiet', `refs/tags/${tag}^{commit}`])) ||
    exists(`refs/atoll/${tag}`) ||
    // A fork has tags for versions of its own, too.
    (isAtoll(fork, tag, version) && exists(`refs/tags/${tag}`))
  return tagged ? { commit: tagged, repository: fork, env, by: `the tag ${tag}` } : null
}

/** Whether a fork has not been upgraded since it left a commit of Atoll: upgrades are no merges. */
function isOfVersion(fork: string, commit: string, env: Readonly<Record<string, string>>): boolean {
  const read = (text: string) => (JSON.parse(text) as { atoll?: { version?: string } }).atoll?.version
  const then = gitOrNull(fork, ['show', `${commit}:package.json`], env)
  const now = readFileSync(join(fork, 'package.json'), 'utf8')
  return then !== null && read(then) === read(now)
}

/** Whether a tag is Atoll's own, and of that version. */
function isAtoll(repository: string, tag: string, version: string): boolean {
  const text = gitOrNull(repository, ['show', `refs/tags/${tag}:package.json`])
  if (text === null) return false
  const said = JSON.parse(text) as { name?: string; atoll?: { version?: string } }
  return said.name === 'atoll' && said.atoll?.version === version
}
