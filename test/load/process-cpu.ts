import { statOf } from '../../functions/local/state-lock.ts'

/** Linux counts processor time in ticks of a hundredth of a second. */
const ticksPerSecond = 100

/** Processor time that a process has used so far, in milliseconds; null where the system does not tell. */
export function cpuOf(pid: number): number | null {
  const fields = statOf(pid)
  // From its state on, user time is the 12th field, system time the 13th.
  return fields && ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond
}
