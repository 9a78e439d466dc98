import { readFileSync } from 'node:fs'
import { childProcesses } from '../../functions/local/state-lock.ts'

/** Ends the Worker's process as a machine that loses power does. */
export function killWorkers(): void {
  for (const pid of childProcesses()) {
    if (commandOf(pid).includes('workerd')) process.kill(pid, 'SIGKILL')
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}
