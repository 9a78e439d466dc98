import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'

/**
 * What keeps wrangler to this machine, and to a folder: no metrics, nothing of whoever is signed in here, and no question to the
 * registry for a newer version, which it asks with every error unless its own note says that it has just done so.
 */
export function wranglerEnv(folder: string): NodeJS.ProcessEnv {
  const note = join(folder, 'update-check')
  mkdirSync(note, { recursive: true })
  const inAnHour = Date.now() + 3_600_000
  writeFileSync(join(note, 'wrangler-latest.json'), JSON.stringify({ latest: null, lastUpdate: inAnHour }))
  return {
    HOME: folder,
    XDG_CONFIG_HOME: folder,
    TMPDIR: folder,
    CI: '1',
    NO_COLOR: '1',
    WRANGLER_HIDE_BANNER: 'true',
    WRANGLER_SEND_METRICS: 'false',
  }
}

export interface Ran {
  readonly code: number | null
  readonly output: string
}

/** Runs the real wrangler in a folder that has a wrangler.toml. */
export async function runWrangler(
  folder: string,
  env: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<Ran> {
  const wrangler = join(createRequire(import.meta.url).resolve('wrangler'), '..', '..', 'bin', 'wrangler.js')
  // As npx does: build commands find the project's own Node.
  const path = [join(wrangler, '..', '..', '..', '.bin'), process.env.PATH].join(delimiter)
  const child = spawn(process.execPath, [wrangler, ...args], {
    cwd: folder,
    env: { PATH: path, ...wranglerEnv(folder), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const read = (chunk: Buffer) => {
    output += chunk
  }
  child.stdout.on('data', read)
  child.stderr.on('data', read)
  const code = await new Promise<number | null>((done) => child.once('close', done))
  return { code, output }
}
