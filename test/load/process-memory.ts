import { readFileSync } from 'node:fs'

/** The most memory that a process has held so far, in megabytes; 0 where the system does not tell. */
export function peakMemoryOf(pid: number): number {
  return fieldOf(pid, 'VmHWM')
}

/** The memory that a process holds now (resident), in megabytes; 0 where the system does not tell, or when it has ended. */
export function memoryOf(pid: number): number {
  return fieldOf(pid, 'VmRSS')
}

function fieldOf(pid: number, field: string): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const [, kilobytes = '0'] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status) ?? []
    return Math.round(Number(kilobytes) / 1024)
  } catch {
    return 0
  }
}
