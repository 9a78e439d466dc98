import { readFileSync } from 'node:fs'

/** Linux counts processor time in ticks of a hundredth of a second. */
const ticksPerSecond = 100

/** Processor time that a process has used so far, in milliseconds; null where the system does not tell. */
export function cpuOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Behind the name, in parentheses: user time is the 12th field, system time the 13th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond
  } catch {
    return null
  }
}
