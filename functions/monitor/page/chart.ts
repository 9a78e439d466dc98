import uPlot from 'uplot'
import { h } from './dom.ts'
import type { Measures, Series } from './measures.ts'

export interface Line {
  readonly label: string
  /** What the line shows of a point; null: nothing. */
  read(measures: Measures, step: number): number | null
}

const colours = ['--line-1', '--line-2', '--line-3', '--line-4']

/** A chart that is drawn anew when there is more to show. */
export class Chart {
  readonly element: HTMLElement
  readonly #lines: readonly Line[]
  readonly #place = h('div', { class: 'plot' })
  #plot: uPlot | null = null

  constructor(title: string, lines: readonly Line[]) {
    this.#lines = lines
    this.element = h('figure', {}, h('figcaption', {}, title), this.#place)
  }

  show({ now, step, points }: Series, seconds: number): void {
    // The current point is not whole yet.
    const last = now - (now % step) - step
    const byTime = new Map(points.map(({ at, measures }) => [at, measures]))
    // Before anything was measured there is nothing to draw, not even that nothing happened.
    const first = points[0]?.at ?? last + step
    const times = Array.from(
      { length: Math.floor(seconds / step) },
      (_, i) => last - seconds + (i + 1) * step,
    )
    const rows = this.#lines.map(({ read }) =>
      times.map((at) => {
        const measures = byTime.get(at)
        if (at < first) return null
        return measures ? read(measures, step) : read({ counters: {}, histograms: {} }, step)
      }),
    )
    const data = [times, ...rows] as uPlot.AlignedData
    const width = this.#place.clientWidth || 320
    if (this.#plot) {
      this.#plot.setData(data)
      if (this.#plot.width !== width) this.#plot.setSize({ width, height: 160 })
      return
    }
    const style = getComputedStyle(document.documentElement)
    const axis = {
      stroke: style.getPropertyValue('--quiet'),
      grid: { stroke: style.getPropertyValue('--border'), width: 1 },
      ticks: { show: false },
    }
    this.#plot = new uPlot(
      {
        width,
        height: 160,
        cursor: { y: false },
        legend: { live: true },
        scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
        axes: [axis, { ...axis, size: 56 }],
        series: [
          {},
          ...this.#lines.map(({ label }, i) => ({
            label,
            stroke: style.getPropertyValue(colours[i % colours.length] as string),
            width: 2,
            points: { show: true, size: 4 },
            value: (_: uPlot, value: number | null) =>
              value === null ? '–' : value.toFixed(value < 10 ? 2 : 0),
          })),
        ],
      },
      data,
      this.#place,
    )
  }
}
