/**
 * A server of the code at a git revision, or of the code as it is, by the project's own `dev` command.
 * @module
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ensureLocalKeys } from '../../../functions/local/keys.ts'
import { root } from '../../../functions/local/serve.ts'
import type { Target } from './ask.ts'

export interface RunningServer extends Target {
  stop(): Promise<void>
}

const startTimeoutMs = 120_000

/** @param revision what git calls it; null: the files as they are now */
export async function startRevision(revision: string | null): Promise<RunningServer> {
  const folder = mkdtempSync(join(tmpdir(), 'atoll-load-'))
  const code = revision === null ? root : join(folder, 'code')
  const undo: (() => void)[] = [() => rmSync(folder, { recursive: true, force: true })]
  try {
    if (revision !== null) {
      git('worktree', 'add', '--detach', '--force', code, revision)
      undo.unshift(() => git('worktree', 'remove', '--force', code))
      installIn(code)
    }
    const { child, url } = await startDev(code, join(folder, 'state'))
    const keys = ensureLocalKeys(join(code, '.dev.vars'))
    return {
      url,
      keys: { publishable: keys.ATOLL_PUBLISHABLE_KEY, secret: keys.ATOLL_SECRET_KEY },
      stop: async () => {
        await end(child)
        for (const step of undo) step()
      },
    }
  } catch (error) {
    for (const step of undo) step()
    throw error
  }
}

/** Whether git knows a revision by that name. */
export function isRevision(name: string): boolean {
  try {
    git('rev-parse', '--verify', '--quiet', `${name}^{commit}`)
    return true
  } catch {
    return false
  }
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** The same packages as here, unless the lock file says others. */
function installIn(code: string): void {
  const lock = (of: string) => readFileSync(join(of, 'package-lock.json'), 'utf8')
  if (lock(code) === lock(root)) symlinkSync(join(root, 'node_modules'), join(code, 'node_modules'))
  else
    execFileSync('npm', ['ci', '--no-audit', '--no-fund'], {
      cwd: code,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  const variables = join(root, '.dev.vars')
  if (existsSync(variables)) cpSync(variables, join(code, '.dev.vars'))
}

async function startDev(code: string, state: string): Promise<{ child: ChildProcess; url: URL }> {
  const child = spawn(
    process.execPath,
    [join(code, 'functions', 'local', 'dev.ts'), '--port', '0', '--persist-to', state],
    {
      cwd: code,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
  const deadline = Date.now() + startTimeoutMs
  while (Date.now() < deadline && child.exitCode === null) {
    const [, address] = /(http:\/\/(?:localhost|127\.0\.0\.1):\d+)/.exec(said) ?? []
    if (address !== undefined) return { child, url: new URL(address) }
    await sleep(100)
  }
  await end(child)
  throw new Error(`the server of ${code} did not start:\n${said.slice(-2000)}`)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const gone = new Promise((done) => child.once('exit', done))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await gone
  clearTimeout(timer)
}
