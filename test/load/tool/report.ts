/**
 * A run's report, as data and as Markdown.
 * @module
 */
import type { Judged } from './judged.ts'
import type { Measured } from './recorder.ts'
import type { LoadResult } from './run-load.ts'
import type { Arrivals } from './scenario.ts'
import type { ServerUse } from './server-use.ts'
import { shown } from './shown.ts'

/** Everything that is known of a run; written as JSON as it is. */
export interface LoadReport {
  readonly scenario: string
  readonly about: string
  readonly target: string
  /** ISO 8601. */
  readonly startedAt: string
  readonly arrivals: Arrivals
  readonly durationSeconds: number
  readonly warmUpSeconds: number
  readonly seed: number
  readonly result: LoadResult
  /** Of the server's processes, in milliseconds; null: they are not this machine's, or it does not tell. */
  readonly cpuMsPerRequest: number | null
  /** Null: the server tells nothing, or another is behind the address. */
  readonly server: ServerUse | null
  /** What a reader must know to trust the figures. */
  readonly remarks: readonly string[]
  readonly objectives: readonly Judged[]
}

export function arrivalsText(arrivals: Arrivals): string {
  const what =
    arrivals.model === 'open'
      ? `open, ${arrivals.rate} journeys a second${arrivals.spacing === 'even' ? ' at even distances' : ' by chance'}`
      : `closed, ${arrivals.users} users`
  const ramp = arrivals.ramp?.map(({ seconds, to }) => `${to * 100} % after ${seconds} s more`)
  return ramp ? `${what}, ramp: ${ramp.join(', ')}` : what
}

/** Above this, the tool's own lateness is a part of the latencies that is worth a word. */
const lateMs = 5

export function remarksOn(result: LoadResult, arrivals: Arrivals, server: ServerUse | null): string[] {
  const remarks: string[] = []
  const { all, lag, stopped } = result
  if (stopped !== null) remarks.push(`It was ended before its time: ${stopped}.`)
  if (lag.p99 > lateMs) {
    remarks.push(
      `Requests were sent up to ${shown(lag.p99)} ms late (p99): this machine could not keep up with asking, and latencies hold that time too.`,
    )
  }
  if (all.requests < 10_000)
    remarks.push('Fewer than ten requests were slower than p99.9, so it says little.')
  if (arrivals.model === 'closed' && all.latency.p99 > 1.2 * all.service.p99) {
    remarks.push(
      `Users waited for slow answers and asked less meanwhile. What they did not ask is counted as late (p99 ${shown(all.latency.p99)} ms; without it, ${shown(all.service.p99)} ms).`,
    )
  }
  if (server && server.requests > all.requests * 1.01 + 5) {
    remarks.push(
      `The server counted ${server.requests} requests while this tool sent ${all.requests}: others asked it as well, and its figures hold theirs.`,
    )
  }
  return remarks
}

/** A table of a report. */
export interface Section {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export function circumstances(report: LoadReport): string {
  const { target, startedAt, arrivals, result, warmUpSeconds, seed } = report
  return `${target}, ${startedAt}; ${arrivalsText(arrivals)}; ${shown(result.elapsedSeconds)} s after ${warmUpSeconds} s of warm-up; seed ${seed}. Latencies in milliseconds, corrected for coordinated omission.`
}

export function sectionsOf({ result, server, cpuMsPerRequest, objectives }: LoadReport): Section[] {
  const { all, steps, elapsedSeconds } = result
  const names = Object.entries(steps)
  const sections: Section[] = [
    {
      head: ['step', 'requests', 'req/s', 'failed', 'p50', 'p90', 'p99', 'p99.9', 'max', 'bytes'],
      rows: [...names, ...(names.length > 1 ? [['all', all] as const] : [])].map(([name, measured]) =>
        stepRow(name, measured, elapsedSeconds),
      ),
    },
  ]
  const facts: [string, string][] = []
  if (cpuMsPerRequest !== null) facts.push(['CPU of the server per request', `${shown(cpuMsPerRequest)} ms`])
  if (all.cacheHits > 0) facts.push(['answers marked as cache hits', percent(all.cacheHits / all.requests)])
  if (server && server.requests > 0) facts.push(...factsOf(server))
  if (facts.length > 0) sections.push({ head: ['the server', ''], rows: facts })
  const errors = Object.entries(all.errors)
  if (errors.length > 0)
    sections.push({ head: ['failures', 'times'], rows: errors.map(([kind, n]) => [kind, String(n)]) })
  if (objectives.length > 0) {
    const rows = objectives.map(({ what, wanted, found, holds }) => [
      what,
      wanted,
      found,
      holds === null ? 'unknown' : holds ? 'holds' : 'missed',
    ])
    sections.push({ head: ['objective', 'wanted', 'found', ''], rows })
  }
  return sections
}

function factsOf({
  requests,
  databaseCalls,
  rowsRead,
  rowsWritten,
  cacheHits,
  jobs,
}: ServerUse): [string, string][] {
  const each = (amount: number) => shown(amount / requests)
  return [
    ['requests, by its own count', String(requests)],
    ['database calls per request', each(databaseCalls)],
    ['rows read per request', each(rowsRead)],
    ['rows written per request', each(rowsWritten)],
    ...(cacheHits === null ? [] : [['cache hits of reads', percent(cacheHits)] as [string, string]]),
    ...(jobs > 0 ? [['tries of jobs', String(jobs)] as [string, string]] : []),
  ]
}

export function markdownOf(report: LoadReport): string {
  const lines = [`# ${report.scenario}`, '', report.about, '', circumstances(report), '']
  for (const { head, rows } of sectionsOf(report)) lines.push(...table(head, rows), '')
  for (const remark of report.remarks) lines.push(`- ${remark}`)
  return `${lines.join('\n').trimEnd()}\n`
}

function stepRow(name: string, measured: Measured, seconds: number): string[] {
  const { requests, failed, bytes, latency } = measured
  const { p50, p90, p99, p999, max } = latency
  return [
    name,
    String(requests),
    shown(requests / seconds),
    String(failed),
    ...[p50, p90, p99, p999, max].map(shown),
    bytesText(bytes),
  ]
}

export function percent(share: number): string {
  return `${shown(share * 100)} %`
}

export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB']
  const unit = bytes === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  return `${shown(bytes / 1000 ** unit)} ${units[unit]}`
}

/** A table in Markdown, with its columns aligned for readers of the text. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cell = (text: string) => text.replaceAll('|', '\\|')
  const widths = head.map((text, i) =>
    Math.max(3, text.length, ...rows.map((row) => cell(row[i] ?? '').length)),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text, i) => (i === 0 ? cell(text).padEnd(widths[i] as number) : cell(text).padStart(widths[i] as number))).join(' | ')} |`
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  return [line(head), rule, ...rows.map(line)]
}
