/**
 * `npm run load -- soak`: half an hour of honest and hostile traffic with faults, and what came of it. `--minutes N`, `--seed N`.
 * @module
 */

import { runSoak } from './soak/soak-run.ts'
import { table } from './tool/report.ts'
import { shown } from './tool/shown.ts'

/** @returns the exit status: 1 when something was violated */
export async function runSoakFor(minutes: number, seed: number): Promise<number> {
  console.log(`seed ${seed}, ${minutes} minutes`)
  const tell = (line: string) => process.stderr.write(`${line}\n`)
  const {
    tally,
    faults,
    isolate,
    process: whole,
    unknown,
  } = await runSoak({ seconds: minutes * 60, seed, tell })
  const lines = [...tally.statuses]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([kind, counts]) => {
      const byStatus = [...counts].toSorted(([, a], [, b]) => b - a).map(([status, n]) => `${status}: ${n}`)
      return [kind, String([...counts.values()].reduce((sum, n) => sum + n, 0)), byStatus.join(', ')]
    })
  console.log(`\n${table(['requests', 'sent', 'answers'], lines).join('\n')}`)
  const times = tally
    .times()
    .map(({ phase, requests, p50, p99, hits }) => [
      phase,
      String(faults.get(phase) ?? ''),
      String(requests),
      shown(p50),
      shown(p99),
      hits === null ? '' : (100 * hits).toFixed(0),
    ])
  console.log(
    `\n${table(['fault', 'times', 'honest requests', 'p50 ms', 'p99 ms', 'hits %'], times).join('\n')}`,
  )
  console.log(`\nevents: ${[...tally.events].map(([kind, n]) => `${kind} ${n}`).join(', ')}`)
  console.log(`writes whose outcome was never told: ${unknown}`)
  for (const [whose, { start, peak, end, bound }] of Object.entries({ isolate, process: whole })) {
    console.log(
      `memory of the ${whose}: ${start} MB at first, ${peak} at most (bound ${bound}), ${end} in the end`,
    )
  }
  console.log(`violations: ${tally.violations}${tally.told.map((what) => `\n  ${what}`).join('')}`)
  return tally.violations === 0 ? 0 : 1
}
