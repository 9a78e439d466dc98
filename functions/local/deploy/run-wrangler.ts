/**
 * Wrangler as a command of its own, which asks nothing back.
 * @module
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { UsageError } from '../../../db/doors/usage-error.ts'

export interface Deployed {
  readonly versionId: string | null
}

/**
 * `wrangler deploy` with these arguments.
 *
 * @param accountId the one that all the rest was asked of
 * @throws UsageError with what wrangler says
 */
export async function deployWithWrangler(
  root: string,
  accountId: string,
  args: readonly string[],
): Promise<Deployed> {
  const folder = mkdtempSync(join(tmpdir(), 'atoll-wrangler-'))
  const told = join(folder, 'told.jsonl')
  try {
    const { code, output } = await runWrangler(root, ['deploy', ...args], {
      CLOUDFLARE_ACCOUNT_ID: accountId,
      WRANGLER_OUTPUT_FILE_PATH: told,
      WRANGLER_HIDE_BANNER: 'true',
      CI: '1',
      NO_COLOR: '1',
    })
    if (code !== 0) throw new UsageError(`wrangler deploy failed:\n${output.trim()}`)
    const lines = existsSync(told) ? readFileSync(told, 'utf8').trim().split('\n') : []
    const entries = lines.map((line) => JSON.parse(line) as { type?: string; version_id?: string })
    return { versionId: entries.find(({ type }) => type === 'deploy')?.version_id ?? null }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs wrangler in the project's folder, with these variables over those of this process. */
export async function runWrangler(
  root: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const wrangler = join(createRequire(import.meta.url).resolve('wrangler'), '..', '..', 'bin', 'wrangler.js')
  // Build commands find the Node that this is run by.
  const { PATH: known } = process.env
  const path = [join(root, 'node_modules', '.bin'), known].join(delimiter)
  const child = spawn(process.execPath, [wrangler, ...args], {
    cwd: root,
    env: { ...process.env, ...env, PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk
    })
  const code = await new Promise<number | null>((done, fail) => {
    child.once('error', fail)
    child.once('close', done)
  })
  return { code, output }
}
