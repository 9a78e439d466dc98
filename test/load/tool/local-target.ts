/**
 * Which servers may be asked, and which processes of this machine serve them.
 * @module
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { parentOf } from '../../../functions/local/state-lock.ts'
import { cpuOf } from '../process-cpu.ts'

/** Whether an address is this machine's own, by its name alone: nobody is asked what a name means. */
export function isLoopback({ hostname }: URL): boolean {
  if (hostname === 'localhost' || hostname === '[::1]') return true
  const parts = hostname.split('.')
  return parts.length === 4 && parts[0] === '127' && parts.every((part) => /^\d{1,3}$/.test(part))
}

/**
 * The address that a run may ask.
 *
 * @param isOwned whether the caller says that the target is theirs
 * @throws for anything but loopback that nobody has said to be theirs
 */
export function checkTarget(text: string, isOwned: boolean): URL {
  const url = URL.parse(text)
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw new Error(`--url ${text} is no address: http://localhost:8787, say`)
  if (url.pathname !== '/' || url.search !== '')
    throw new Error(`--url ${text} has a path: scenarios have them`)
  if (!isLoopback(url) && !isOwned) {
    throw new Error(
      `${url.origin} is not this machine. A load run on somebody else's server is an attack; if it is yours, and whoever runs the network knows, say --i-own-this-target.`,
    )
  }
  return url
}

/** Pids of the process that listens on a port of this machine, and of its descendants; none where the system does not tell. */
export function serversOf({ port, protocol }: URL): number[] {
  try {
    const wanted = Number(port || (protocol === 'https:' ? 443 : 80))
    const inodes = new Set(['tcp', 'tcp6'].flatMap((file) => listening(file, wanted)))
    const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))
    const listeners = pids.filter((pid) => socketsOf(pid).some((inode) => inodes.has(inode))).map(Number)
    return withDescendants(listeners, pids.map(Number))
  } catch {
    return []
  }
}

/** Inodes of sockets that listen on a port. Source: proc(5), `/proc/net/tcp`. */
function listening(file: string, port: number): string[] {
  const lines = readFileSync(`/proc/net/${file}`, 'utf8').trim().split('\n').slice(1)
  const found: string[] = []
  for (const line of lines) {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
    if (state === '0A' && Number.parseInt(local.split(':')[1] ?? '', 16) === port) found.push(inode)
  }
  return found
}

function socketsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []
      } catch {
        return []
      }
    })
  } catch {
    return []
  }
}

function withDescendants(roots: readonly number[], all: readonly number[]): number[] {
  const parents = new Map(all.map((pid) => [pid, parentOf(pid)]))
  const found = new Set(roots)
  for (let size = -1; size !== found.size; ) {
    size = found.size
    for (const [pid, parent] of parents) if (parent !== null && found.has(parent)) found.add(pid)
  }
  // This tool may have started the server, or be asked to measure one of its own.
  found.delete(process.pid)
  return [...found]
}

/** Processor time that processes have used so far, in milliseconds; null: nobody tells. */
export function cpuOfAll(pids: readonly number[]): number | null {
  const times = pids.map(cpuOf)
  return times.length === 0 || times.includes(null)
    ? null
    : times.reduce<number>((sum, ms) => sum + (ms ?? 0), 0)
}
