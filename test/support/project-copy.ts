/**
 * A copy of this project for tests that change its files, with the packages of this one.
 * @module
 */
import { spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { root } from '../../functions/local/serve.ts'
import { fixture } from '../fixture-app/paths.ts'

export interface ProjectCopy {
  readonly folder: string
  write(file: string, text: string): void
  /** Several files, in folders that may not be there yet. */
  writeAll(texts: Readonly<Record<string, string>>): void
  read(file: string): string
  /** Runs one of its scripts; the signal, if one is given, ends it as `kill -9` would. */
  run(script: string, args?: readonly string[], options?: RunOptions): Promise<Ran>
  remove(): void
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export interface Ran {
  readonly code: number | null
  readonly output: string
}

/** @param app what it serves: the fixture app, whatever a fork has, or the project's own */
export function copyProject(app: 'fixture' | 'own' = 'fixture'): ProjectCopy {
  const folder = mkdtempSync(join(tmpdir(), 'atoll-project-'))
  for (const part of [
    'db',
    'functions',
    'wrangler.toml',
    'package.json',
    'package-lock.json',
    'tsconfig.json',
  ])
    cpSync(join(root, part), join(folder, part), { recursive: true })
  if (app === 'fixture') putFixture(folder)
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return {
    folder,
    write: (file, text) => writeFileSync(join(folder, file), text),
    writeAll: (texts) => {
      for (const [file, text] of Object.entries(texts)) {
        mkdirSync(dirname(join(folder, file)), { recursive: true })
        writeFileSync(join(folder, file), text)
      }
    },
    read: (file) => readFileSync(join(folder, file), 'utf8'),
    run: (script, args = [], { env = {}, signal } = {}) => {
      const child = spawn(process.execPath, [script, ...args], {
        cwd: folder,
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
        killSignal: 'SIGKILL',
        ...(signal ? { signal } : {}),
      })
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => {
          output += chunk
        })
      child.on('error', () => undefined)
      return new Promise((done) => child.once('close', (code) => done({ code, output })))
    },
    remove: () => {
      endLeftovers(folder)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Ends what commands that were ended by `kill -9` have left running there: their workerd goes on without them. */
function endLeftovers(folder: string): void {
  if (!existsSync('/proc')) return
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      if (readlinkSync(join('/proc', pid, 'cwd')).startsWith(folder)) process.kill(Number(pid), 'SIGKILL')
    } catch {
      // It has ended by itself, or is another user's.
    }
  }
}

/** Puts the fixture app in the place of the project's own. */
function putFixture(folder: string): void {
  for (const part of [join('db', 'app'), join('functions', 'app')]) {
    rmSync(join(folder, part), { recursive: true })
    cpSync(join(fixture.folder, part), join(folder, part), { recursive: true })
  }
  const config = readFileSync(fixture.config, 'utf8')
    .replace('worker.ts', 'functions/index.ts')
    .replace('../../.wrangler', '.wrangler')
  writeFileSync(join(folder, 'wrangler.toml'), config)
}
