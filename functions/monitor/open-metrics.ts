/**
 * What is measured, as text for Prometheus and its like. Source: https://prometheus.io/docs/specs/om/open_metrics_spec/ and
 * https://prometheus.io/docs/instrumenting/exposition_formats/ for those who do not take it.
 * @module
 */

import type { Gauge } from '../core/gauge.ts'
import { boundOf, type Family, families, familyOf, labelsOf, type Measures } from '../meter/area.ts'

/** Upper bounds of buckets, in milliseconds: powers of two, where buckets of our histograms end as well. */
const bounds = Array.from({ length: 17 }, (_, i) => 2 ** i)
const prefix = 'atoll_'

export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
export const prometheusType = 'text/plain; version=0.0.4; charset=utf-8'

/** @param isOpenMetrics whether the reader takes OpenMetrics, and not only Prometheus' older text */
export function writeMetrics(
  { counters, histograms }: Measures,
  gauges: readonly Gauge[],
  isOpenMetrics: boolean,
): string {
  const lines: string[] = []
  const head = (name: string, type: string, help: string, unit: string | undefined) => {
    lines.push(`# TYPE ${name} ${type}`)
    if (unit && isOpenMetrics) lines.push(`# UNIT ${name} ${unit}`)
    lines.push(`# HELP ${name} ${help}`)
  }
  for (const [family, about] of Object.entries(families) as [Family, (typeof families)[Family]][]) {
    const name = prefix + family
    const unit = 'unit' in about ? about.unit : undefined
    if (about.kind === 'counter') {
      const own = ofFamily(counters, family)
      if (own.length > 0) head(isOpenMetrics ? name : `${name}_total`, 'counter', about.help, unit)
      for (const [labels, n] of own) lines.push(`${name}_total${braced(labels)} ${n}`)
      continue
    }
    const own = ofFamily(histograms, family)
    if (own.length > 0) head(name, 'histogram', about.help, unit)
    for (const [labels, histogram] of own) lines.push(...histogramLines(name, labels, histogram))
  }
  for (const { name, help, unit, values } of gauges) {
    if (values.length === 0) continue
    head(prefix + name, 'gauge', help, unit)
    for (const { labels, value } of values) {
      const text = Object.entries(labels).map(([label, of]) => `${label}="${escaped(String(of))}"`)
      lines.push(`${prefix}${name}${braced(text.join(','))} ${value}`)
    }
  }
  if (isOpenMetrics) lines.push('# EOF')
  return `${lines.join('\n')}\n`
}

function histogramLines(
  name: string,
  labels: string,
  { buckets, sum }: Measures['histograms'][string],
): string[] {
  const count = buckets.reduce((all, [, n]) => all + n, 0)
  const comma = labels === '' ? '' : ','
  const lines = bounds.map((ms) => {
    const below = buckets.reduce((all, [bucket, n]) => (boundOf(bucket) <= ms ? all + n : all), 0)
    return `${name}_bucket{${labels}${comma}le="${ms / 1000}"} ${below}`
  })
  return [
    ...lines,
    `${name}_bucket{${labels}${comma}le="+Inf"} ${count}`,
    `${name}_sum${braced(labels)} ${sum / 1000}`,
    `${name}_count${braced(labels)} ${count}`,
  ]
}

/** Labels and values of a family's series, in order. */
function ofFamily<T>(series: Readonly<Record<string, T>>, family: Family): [labels: string, value: T][] {
  return Object.entries(series)
    .filter(([name]) => familyOf(name) === family)
    .map(([name, value]): [string, T] => [labelsOf(name), value])
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
