/**
 * Names of what is measured, with their labels, as OpenMetrics writes them: `requests{area="rest",status="200"}`.
 * Source: https://prometheus.io/docs/specs/om/open_metrics_spec/
 * @module
 */

import type { Labels } from '../core/gauge.ts'

/** What each family counts, and how `/metrics` calls it. */
export const families = {
  requests: { kind: 'counter', help: 'Requests that were answered.' },
  request_seconds: { kind: 'histogram', help: 'Time until an answer began.', unit: 'seconds' },
  request_bytes: {
    kind: 'counter',
    help: 'Bytes of bodies that came in, as far as their length was said.',
    unit: 'bytes',
  },
  response_bytes: {
    kind: 'counter',
    help: 'Bytes of bodies that went out, as far as their length was known.',
    unit: 'bytes',
  },
  database_calls: { kind: 'counter', help: 'Round trips to databases.' },
  database_seconds: { kind: 'histogram', help: 'Time of round trips to databases.', unit: 'seconds' },
  database_rows_read: { kind: 'counter', help: 'Rows that databases read.' },
  database_rows_written: { kind: 'counter', help: 'Rows that databases wrote.' },
  database_retries: { kind: 'counter', help: 'Calls that were repeated.' },
  database_slow_queries: { kind: 'counter', help: 'Statements that took longer than slow ones do.' },
  database_refusals: {
    kind: 'counter',
    help: 'Queries that did not run, by whose share of the database was taken.',
  },
  cache_reads: { kind: 'counter', help: 'Reads of data, by where the answer came from.' },
  jobs: { kind: 'counter', help: 'Tries of jobs, by how they ended.' },
  job_seconds: { kind: 'histogram', help: 'Time that tries of jobs took.', unit: 'seconds' },
  invocations: { kind: 'counter', help: 'Runs of the Worker, by how they ended, as the platform says.' },
  cpu_seconds: { kind: 'histogram', help: 'Processor time of runs, as the platform says.', unit: 'seconds' },
  wall_seconds: { kind: 'histogram', help: 'Time of runs, as the platform says.', unit: 'seconds' },
  events: { kind: 'counter', help: 'What went wrong, by kind of event.' },
  shapes_untold: {
    kind: 'counter',
    help: 'Requests whose shape was too long, or one too many, to be told apart.',
  },
  metrics_dropped: {
    kind: 'counter',
    help: 'Parts of hand-overs that could not be stored, and were dropped.',
  },
  origin_requests: { kind: 'counter', help: 'Requests to origins, by answer.' },
  origin_seconds: { kind: 'histogram', help: "Time until origins' answers began.", unit: 'seconds' },
} as const satisfies Record<string, { kind: 'counter' | 'histogram'; help: string; unit?: string }>

/** Name of something that is counted or timed, as `/metrics` has it without its prefix. */
export type Family = keyof typeof families

/** A family with labels, as text that is the same for the same labels in the same order. */
export function seriesOf(family: Family, labels: Labels): string {
  let text = ''
  for (const name in labels) {
    const value = String(labels[name])
    text += `${text === '' ? '' : ','}${name}="${/["\\\n]/.test(value) ? escaped(value) : value}"`
  }
  return text === '' ? family : `${family}{${text}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

/** The family of a series: what stands before its labels. */
export function familyOf(series: string): Family {
  const end = series.indexOf('{')
  return (end < 0 ? series : series.slice(0, end)) as Family
}

/** The labels as they are written, without braces. */
export function labelsOf(series: string): string {
  const start = series.indexOf('{')
  return start < 0 ? '' : series.slice(start + 1, -1)
}
