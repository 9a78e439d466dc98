import type { Progress } from './run-load.ts'
import { shown } from './shown.ts'

/**
 * Tells how a run goes, once a second: on a terminal in one line that is written over, elsewhere one line in ten seconds. On standard
 * error, so that what a run prints can be kept.
 */
export function createProgress(stream: NodeJS.WriteStream = process.stderr) {
  const tell = ({ isWarmUp, second, ofSeconds, requests, p50, p99, failedInAll, outstanding }: Progress) => {
    const text = `${isWarmUp ? 'warm-up' : 'measuring'} ${second + 1}/${ofSeconds} s  ${requests} req/s  p50 ${shown(p50)} ms  p99 ${shown(p99)} ms  ${failedInAll} failed  ${outstanding} under way`
    if (stream.isTTY) stream.write(`\r\x1b[2K${text.slice(0, stream.columns - 1)}`)
    else if (second % 10 === 9) stream.write(`${text}\n`)
  }
  const end = () => {
    if (stream.isTTY) stream.write('\r\x1b[2K')
  }
  return { tell, end }
}
