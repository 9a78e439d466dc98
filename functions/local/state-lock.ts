/**
 * One dev server to a state folder. The lock says who holds it, so that what a killed server left running (its
 * workerd goes on when the parent dies by `kill -9`) can be ended by the next one.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from '../../db/doors/usage-error.ts'

interface Holder {
  readonly pid: number
  /** Pids of the workerd processes that the holder started. */
  readonly children: readonly number[]
}

const fileOf = (persistTo: string) => join(persistTo, 'atoll-dev.json')

/**
 * Makes sure that nobody else works on the state folder, ending what a killed dev server left behind.
 *
 * @throws when another dev server is running on it
 */
export async function claimState(persistTo: string): Promise<void> {
  const file = fileOf(persistTo)
  mkdirSync(persistTo, { recursive: true })
  if (existsSync(file)) {
    const holder = readHolder(file)
    if (holder.pid !== process.pid && commandOf(holder.pid).includes('dev.ts')) {
      throw new UsageError(
        `Another dev server (process ${holder.pid}) works on ${persistTo}: stop it, or choose another --persist-to.`,
      )
    }
    await endLeftovers(holder.children.filter((pid) => commandOf(pid).includes('workerd')))
  }
  writeHolder(file, { pid: process.pid, children: [] })
}

/** A lock that cannot be read was being written when its holder was killed; nobody holds it. */
function readHolder(file: string): Holder {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder
  } catch {
    return { pid: -1, children: [] }
  }
}

function writeHolder(file: string, holder: Holder): void {
  writeFileSync(`${file}.new`, JSON.stringify(holder))
  renameSync(`${file}.new`, file)
}

/** Notes which processes this one has started, for whoever comes after a `kill -9`. */
export function noteChildren(persistTo: string): void {
  writeHolder(fileOf(persistTo), { pid: process.pid, children: childProcesses() })
}

/** Takes away what Miniflare keeps in a state folder: databases, files, queues and objects. */
export function forgetState(persistTo: string): void {
  rmSync(join(persistTo, 'v3'), { recursive: true, force: true })
}

export function releaseState(persistTo: string): void {
  rmSync(fileOf(persistTo), { force: true })
}

async function endLeftovers(pids: readonly number[]): Promise<void> {
  for (const pid of pids) process.kill(pid, 'SIGTERM')
  for (let waited = 0; waited < 3000 && pids.some((pid) => commandOf(pid) !== ''); waited += 50)
    await sleep(50)
  for (const pid of pids) if (commandOf(pid) !== '') process.kill(pid, 'SIGKILL')
}

/** The command line of a running process; nothing when it does not run. */
function commandOf(pid: number): string {
  try {
    if (existsSync('/proc')) return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).trim()
  } catch {
    return ''
  }
}

/** Pids of the processes that this one has started. */
export function childProcesses(): number[] {
  const parent = process.pid
  try {
    if (existsSync('/proc')) {
      return readdirSync('/proc')
        .filter((entry) => /^\d+$/.test(entry))
        .map(Number)
        .filter((pid) => parentOf(pid) === parent)
    }
    const list = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    return list
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number))
      .filter(([, ppid]) => ppid === parent)
      .map(([pid]) => pid as number)
  } catch {
    return []
  }
}

/** A process's parent; null where the system does not tell. */
export function parentOf(pid: number): number | null {
  const parent = statOf(pid)?.[1]
  return parent === undefined ? null : Number(parent)
}

/** What Linux tells of a process, from its state on: the fields behind its name, which is in parentheses and may hold spaces. */
export function statOf(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}
