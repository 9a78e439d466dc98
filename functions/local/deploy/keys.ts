/**
 * Keys of a deployment: made where it has none, handed over by a file that only this user can read, and shown once.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UsageError } from '../../../db/doors/usage-error.ts'
import type { WorkerState } from '../cloudflare/account-state.ts'
import { type LocalKeys, makeKeys, readLocalVariables } from '../keys.ts'

const names = ['ATOLL_PUBLISHABLE_KEY', 'ATOLL_SECRET_KEY', 'ATOLL_JWT_SECRET'] as const

/** Whether it has none of its own: only then are they made. */
export function lacksKeys(worker: WorkerState | null): boolean {
  return !names.some((name) => worker?.secrets.includes(name))
}

/** Those that somebody has left out, or taken away: null where nothing is to be said. */
export function tellMissingKeys(worker: WorkerState | null, env: string | null): string | null {
  if (lacksKeys(worker)) return null
  const has = (name: string) => worker?.secrets.includes(name) === true
  const missing = names.filter(
    (name) => !has(name) && !(name === 'ATOLL_JWT_SECRET' && has('ATOLL_JWKS_URL')),
  )
  if (missing.length === 0) return null
  const option = env === null ? '' : ` --env ${env}`
  return `Without ${missing.join(' and ')}: set what is meant to be there with npx wrangler secret put NAME${option}`
}

/**
 * New keys, or those that a file has: of a run that was interrupted, or of somebody's own. They are told before they are handed over: whoever is interrupted has seen the keys that are in use, or gets others.
 *
 * @param file where they are, or are written to instead of being shown
 * @throws UsageError where showing them would leave them in a log
 */
export function newKeys(file: string | undefined, tell: (line: string) => void): LocalKeys {
  const { CI: isCi } = process.env
  if (file === undefined && isCi)
    throw new UsageError(
      'This Worker has no keys yet, and a log is no place for them: say --keys-file FILE, to which they are written, or deploy once from a terminal.',
    )
  const known = file === undefined ? {} : readLocalVariables(file)
  if (names.every((name) => known[name])) {
    tell(`The keys are those in ${file}.`)
    return known as unknown as LocalKeys
  }
  const keys = makeKeys()
  const text = names.map((name) => `${name}="${keys[name]}"\n`).join('')
  if (file !== undefined) {
    try {
      writeFileSync(file, text, { mode: 0o600, flag: 'wx' })
    } catch (error) {
      throw new UsageError(`The keys cannot be written to ${file}: ${(error as Error).message}`)
    }
    tell(`The keys are in ${file}.`)
    return keys
  }
  tell(`New keys, which are kept nowhere else:\n\n${text.replaceAll(/^/gm, '  ').trimEnd()}\n`)
  return keys
}

/** Lets some work have them in a file, and takes it away afterwards, however it ends. */
export async function withSecretsFile<Done>(
  keys: LocalKeys | null,
  work: (file: string | null) => Promise<Done>,
): Promise<Done> {
  if (keys === null) return await work(null)
  const folder = mkdtempSync(join(tmpdir(), 'atoll-keys-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  const file = join(folder, 'secrets.json')
  writeFileSync(file, JSON.stringify(Object.fromEntries(names.map((name) => [name, keys[name]]))), {
    mode: 0o600,
  })
  try {
    return await work(file)
  } finally {
    remove()
    process.removeListener('exit', remove)
  }
}
