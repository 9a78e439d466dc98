import { ask } from './ask.ts'
import { Chart } from './chart.ts'
import { badge, bytes, card, count, h, ms, section, tableOf } from './dom.ts'
import { byLabel, type Labels, type Measures, quantile, readPoints, sumOf } from './measures.ts'
import type { Page } from './page.ts'
import type { State } from './state.ts'

const seconds = 900
const step = 10
/** What the numbers above the charts are of. */
const recentSeconds = 60

const perSecond =
  (family: string, fits?: (labels: Labels) => boolean) => (measures: Measures, stepSeconds: number) =>
    sumOf(measures, family, fits) / stepSeconds
const isError = ({ status = '' }: Labels) => status.startsWith('5')
const fromCache = ({ from }: Labels) => from !== 'database'

export function overviewPage(): Page {
  const cards = h('div', { class: 'cards', 'aria-live': 'off' })
  const routes = h('div')
  const levels = h('div')
  const charts = [
    new Chart('Requests a second', [
      { label: 'all', read: perSecond('requests') },
      { label: '5xx', read: perSecond('requests', isError) },
    ]),
    new Chart('Time until an answer begins, ms', [
      { label: 'p50', read: (measures) => quantile([measures], 'request_seconds', 0.5) },
      { label: 'p99', read: (measures) => quantile([measures], 'request_seconds', 0.99) },
    ]),
    new Chart('Rows that databases read, a second', [
      { label: 'rows', read: perSecond('database_rows_read') },
    ]),
    new Chart('Calls to databases a second', [{ label: 'calls', read: perSecond('database_calls') }]),
  ]
  const element = h(
    'div',
    {},
    cards,
    h('div', { class: 'charts' }, ...charts.map((chart) => chart.element)),
    levels,
    section('Routes in this hour', routes),
  )
  return {
    element,
    async refresh() {
      const [series, state] = await Promise.all([readPoints(step, 3600), ask<State>('/state')])
      for (const chart of charts) chart.show(series, seconds)
      const recent = series.points
        .filter(({ at }) => at >= series.now - recentSeconds)
        .map(({ measures }) => measures)
      const sum = (family: string, fits?: (labels: Labels) => boolean) =>
        recent.reduce((all, measures) => all + sumOf(measures, family, fits), 0)
      const reads = sum('cache_reads')
      const dead = Object.values(state.jobs ?? {}).reduce((all, states) => all + (states.dead ?? 0), 0)
      cards.replaceChildren(
        card('Requests a second', count(sum('requests') / recentSeconds), 'in the last minute'),
        card('Errors', `${count((100 * sum('requests', isError)) / Math.max(1, sum('requests')))} %`, '5xx'),
        card('p99', ms(quantile(recent, 'request_seconds', 0.99))),
        card(
          'From the cache',
          reads === 0 ? '–' : `${count((100 * sum('cache_reads', fromCache)) / reads)} %`,
        ),
        card('Rows read', count(sum('database_rows_read') / recentSeconds), 'a second'),
        card(
          'Databases',
          bytes(state.databases.reduce((all, one) => all + (one.bytes ?? 0), 0)),
          `${state.databases.filter((one) => one.bytes !== null).length} of ${state.databases.length} answer`,
        ),
        card('Dead letters', count(dead), dead > 0 ? h('a', { href: '#/jobs' }, 'look') : null),
      )
      const hour = series.points
      const byRoute = new Map<string, { labels: Labels; all: number; bad: number }>()
      for (const { measures } of hour) {
        for (const [name, n] of Object.entries(measures.counters)) {
          if (!name.startsWith('requests{')) continue
          const labels = Object.fromEntries(
            [...name.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', value = '']) => [label, value]),
          )
          const key = `${labels.area} ${labels.route}`
          const known = byRoute.get(key) ?? { labels, all: 0, bad: 0 }
          known.all += n
          if (isError(labels)) known.bad += n
          byRoute.set(key, known)
        }
      }
      const rows = [...byRoute.values()].sort((a, b) => b.all - a.all).slice(0, 30)
      const all = hour.map(({ measures }) => measures)
      const of = (labels: Labels, share: number) =>
        quantile(
          all,
          'request_seconds',
          share,
          ({ area, route }) => area === labels.area && route === labels.route,
        )
      routes.replaceChildren(
        tableOf(
          [
            { title: 'Area', cell: ({ labels }) => labels.area },
            { title: 'Route', cell: ({ labels }) => labels.route || '–' },
            { title: 'Requests', isNumber: true, cell: (row) => count(row.all) },
            { title: '5xx', isNumber: true, cell: (row) => count(row.bad) },
            { title: 'p50', isNumber: true, cell: ({ labels }) => ms(of(labels, 0.5)) },
            { title: 'p99', isNumber: true, cell: ({ labels }) => ms(of(labels, 0.99)) },
          ],
          rows,
          'Nothing was asked yet.',
        ),
      )
      levels.replaceChildren(
        ...(state.objectives.length === 0 ? [] : [section('Service levels', levelTable(state))]),
      )
    },
  }
}

function levelTable({ objectives }: State): HTMLElement {
  return tableOf(
    [
      { title: 'Objective', cell: ({ name }) => name },
      { title: 'Target', isNumber: true, cell: ({ target }) => `${target * 100} %` },
      { title: 'Requests in 6 h', isNumber: true, cell: ({ requests }) => count(requests) },
      { title: 'Bad', isNumber: true, cell: ({ bad }) => count(bad) },
      { title: 'Burn rate', isNumber: true, cell: ({ burnRate }) => `${count(burnRate)} ×` },
      {
        title: 'State',
        cell: ({ isBurning }) => (isBurning ? badge('burning', 'bad') : badge('well', 'good')),
      },
    ],
    objectives,
    '',
  )
}

export function cachePage(): Page {
  const chart = new Chart('Reads a second, by where the answer came from', [
    { label: 'isolate', read: perSecond('cache_reads', ({ from }) => from === 'first-level') },
    { label: 'store', read: perSecond('cache_reads', ({ from }) => from === 'store') },
    { label: 'database', read: perSecond('cache_reads', ({ from }) => from === 'database') },
  ])
  const cards = h('div', { class: 'cards' })
  return {
    element: h('div', {}, cards, h('div', { class: 'charts' }, chart.element)),
    async refresh() {
      const [series, state] = await Promise.all([readPoints(step, 3600), ask<State>('/state')])
      chart.show(series, seconds)
      const reads = byLabel(series.points, 'cache_reads', 'from')
      const events = byLabel(series.points, 'events', 'kind')
      const all = [...reads.values()].reduce((sum, n) => sum + n, 0)
      const share = (from: string) => (all === 0 ? '–' : `${count((100 * (reads.get(from) ?? 0)) / all)} %`)
      cards.replaceChildren(
        card('Store', state.cache?.store ?? 'none', state.cache ? null : 'nothing is cached'),
        card('From the isolate', share('first-level'), 'in this hour'),
        card('From the store', share('store')),
        card('From databases', share('database')),
        card(
          'Writes that the store missed',
          count(events.get('invalidation-failed') ?? 0),
          'the relay delivers them',
        ),
      )
    },
  }
}
