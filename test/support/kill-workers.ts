import { readFileSync } from 'node:fs'
import { childProcesses } from '../../functions/local/state-lock.ts'

/** The processes in which Workers run that this one has started. */
export function workerProcesses(): number[] {
  return childProcesses().filter((pid) => commandOf(pid).includes('workerd'))
}

/** Ends the Worker's process as a machine that loses power does. */
export function killWorkers(): void {
  for (const pid of workerProcesses()) process.kill(pid, 'SIGKILL')
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}
