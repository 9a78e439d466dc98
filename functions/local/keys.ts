import { randomBytes } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A project's keys, as `.dev.vars` has the local ones. */
export interface LocalKeys {
  readonly ATOLL_PUBLISHABLE_KEY: string
  readonly ATOLL_SECRET_KEY: string
  readonly ATOLL_JWT_SECRET: string
}

const makers: Readonly<Record<keyof LocalKeys, () => string>> = {
  ATOLL_PUBLISHABLE_KEY: () => `sb_publishable_${randomText()}`,
  ATOLL_SECRET_KEY: () => `sb_secret_${randomText()}`,
  ATOLL_JWT_SECRET: () => randomText(48),
}

/** Rate limits are for deployed Workers. */
const settings: Readonly<Record<string, () => string>> = { ATOLL_RATE_LIMITS: () => 'off' }

/** The secret key for a server that runs: of the environment, or this project's own; undefined when there is none. */
export function readSecretKey(folder: string): string | undefined {
  const { ATOLL_SECRET_KEY: given } = process.env
  return given ?? readLocalVariables(join(folder, '.dev.vars')).ATOLL_SECRET_KEY
}

/** New keys of every kind, as strong as they come: 192 bits, and 384 for the secret that signs tokens. */
export function makeKeys(): LocalKeys {
  return Object.fromEntries(
    Object.entries(makers).map(([name, make]) => [name, make()]),
  ) as unknown as LocalKeys
}

/** Reads the keys from `file`; makes those that are missing and writes them there, for this user's eyes only. */
export function ensureLocalKeys(file: string): LocalKeys {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const found = parseVariables(text)
  const added: string[] = []
  for (const [name, make] of Object.entries({ ...makers, ...settings })) {
    if (found[name]) continue
    found[name] = make()
    added.push(`${name}="${found[name]}"\n`)
  }
  if (added.length > 0) {
    const gap = text === '' || text.endsWith('\n') ? '' : '\n'
    appendFileSync(file, gap + added.join(''), { mode: 0o600 })
  }
  return found as unknown as LocalKeys
}

/** The variables in `.dev.vars`; none when there is no such file. */
export function readLocalVariables(file: string): Partial<Record<string, string>> {
  return existsSync(file) ? parseVariables(readFileSync(file, 'utf8')) : {}
}

function parseVariables(text: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const pair = /^\s*([A-Z_]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|(.*?))\s*$/.exec(line)
    if (pair) found[pair[1] as string] = pair[2] ?? pair[3] ?? pair[4] ?? ''
  }
  return found
}

function randomText(bytes = 24): string {
  return randomBytes(bytes).toString('base64url')
}
