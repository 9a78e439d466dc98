/** Draws the charts of a report, from the data in its page. */
import uPlot from 'uplot'

interface Charted {
  readonly seconds: readonly { second: number; requests: number; failed: number; p50: number; p99: number }[]
  readonly steps: Readonly<Record<string, readonly (readonly [share: number, ms: number])[]>>
}

const colors = ['#2563eb', '#ea580c', '#16a34a', '#9333ea', '#dc2626', '#0891b2', '#ca8a04', '#475569']
const { seconds, steps } = JSON.parse(document.getElementById('data')?.textContent ?? '{}') as Charted
const text = getComputedStyle(document.body).color
const width = () => Math.min(900, document.body.clientWidth - 32)
const axis = (label: string): uPlot.Axis => ({
  label,
  stroke: text,
  grid: { stroke: '#8883' },
  ticks: { stroke: '#8883' },
})
const line = (label: string, i: number): uPlot.Series => ({
  label,
  stroke: colors[i % colors.length] as string,
  width: 2,
  points: { show: seconds.length < 2 },
})
const charts: uPlot[] = []

function draw(
  title: string,
  options: Partial<uPlot.Options>,
  series: uPlot.Series[],
  data: uPlot.AlignedData,
): void {
  const place = document.getElementById('charts') as HTMLElement
  charts.push(
    new uPlot({ title, width: width(), height: 260, series: [{}, ...series], ...options }, data, place),
  )
}

const time = seconds.map(({ second }) => second)
draw(
  'Requests a second',
  { scales: { x: { time: false } }, axes: [axis('seconds'), axis('')] },
  [line('answered', 0), line('failed', 4)],
  [time, seconds.map(({ requests }) => requests), seconds.map(({ failed }) => failed)],
)
draw(
  'Latency over time, ms',
  { scales: { x: { time: false }, y: { distr: 3 } }, axes: [axis('seconds'), axis('')] },
  [line('p50', 0), line('p99', 1)],
  [time, seconds.map(({ p50 }) => p50), seconds.map(({ p99 }) => p99)],
)

/** Nines: 1 is p90, 2 is p99, and so on, so that the tail has room. */
const nines = (share: number, most: number) => (share === 1 ? most : -Math.log10(1 - share))
const shares = [...new Set(Object.values(steps).flatMap((points) => points.map(([share]) => share)))].sort(
  (a, b) => a - b,
)
const most = nines(shares.filter((share) => share < 1).at(-1) ?? 0.9, 0) + 0.5
const names = ['p0', 'p90', 'p99', 'p99.9', 'p99.99']
draw(
  'Latency by percentile, ms',
  {
    scales: { x: { time: false }, y: { distr: 3 } },
    axes: [
      { ...axis(''), splits: () => names.map((_, i) => i), values: (_, at) => at.map((i) => names[i] ?? '') },
      axis(''),
    ],
  },
  Object.keys(steps).map(line),
  [
    shares.map((share) => nines(share, most)),
    ...Object.values(steps).map((points) => {
      const byShare = new Map(points)
      return shares.map((share) => byShare.get(share) ?? null)
    }),
  ],
)
addEventListener('resize', () => {
  for (const chart of charts) chart.setSize({ width: width(), height: 260 })
})
