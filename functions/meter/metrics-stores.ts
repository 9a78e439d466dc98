/**
 * Several Durable Objects as one: each isolate hands over to one of them, and who looks asks all. One takes a few hundred hand-overs a
 * second.
 * @module
 */

import type { Delta } from './delta.ts'
import { addMeasures, addShapes, type Measures, nothing } from './merge.ts'
import type { KeptBy, MetricsAccess, Point } from './metrics-access.ts'

const maxShapes = 500
const maxEvents = 500

/** @param open the store of a number, from 0 up to `count` */
export function joinStores(count: number, open: (number: number) => MetricsAccess): MetricsAccess {
  if (count === 1) return open(0)
  const all = <T>(read: (store: MetricsAccess) => Promise<T>) =>
    Promise.all(Array.from({ length: count }, (_, i) => read(open(i))))
  return {
    record: (delta) => open(homeOf(delta, count)).record(delta),
    async totals() {
      const sum = nothing()
      for (const measures of await all((store) => store.totals())) addMeasures(sum, measures)
      return sum
    },
    async points(step, from, families) {
      const byTime = new Map<number, Measures>()
      for (const { at, measures } of (await all((store) => store.points(step, from, families))).flat()) {
        const sum = byTime.get(at) ?? nothing()
        addMeasures(sum, measures)
        byTime.set(at, sum)
      }
      return [...byTime].map(([at, measures]): Point => ({ at, measures })).sort((a, b) => a.at - b.at)
    },
    shapes: async (days) => addShapes([], (await all((store) => store.shapes(days))).flat(), maxShapes),
    events: async () =>
      (await all((store) => store.events()))
        .flat()
        .sort((a, b) => b.at - a.at)
        .slice(0, maxEvents),
    async kept() {
      const found: Record<string, KeptBy> = {}
      for (const said of await all((store) => store.kept())) {
        for (const [keeper, one] of Object.entries(said)) {
          const known = found[keeper]
          found[keeper] = {
            isolates: one.isolates + (known?.isolates ?? 0),
            bytes: one.bytes + (known?.bytes ?? 0),
            mostBytes: Math.max(one.mostBytes, known?.mostBytes ?? 0),
            entries: one.entries + (known?.entries ?? 0),
          }
        }
      }
      return found
    },
  }
}

/** An isolate's hand-overs go to the same store each time: that is where their numbers are known. */
function homeOf({ isolate }: Delta, count: number): number {
  let sum = 0
  for (let i = 0; i < isolate.length; i++) sum = (sum * 31 + isolate.charCodeAt(i)) >>> 0
  return sum % count
}
