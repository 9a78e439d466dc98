import { seededRandom } from '../../support/seeded-random.ts'
import type { Draw, Journey, Scenario, Think } from './scenario.ts'

const samplers = new Map<string, (random: () => number) => number>()

/** @param random from 0 up to 1 @param next shared by all who draw in a run */
export function createDraw(random: () => number, next: () => number): Draw {
  return {
    random,
    next,
    integer: (from, to) => from + Math.floor(random() * (to - from + 1)),
    pick: (items) => {
      if (items.length === 0) throw new Error('there is nothing to pick from')
      return items[Math.floor(random() * items.length)] as (typeof items)[number]
    },
    zipf: (count, exponent = 0.99) => {
      const key = `${count} ${exponent}`
      let sampler = samplers.get(key)
      if (sampler === undefined) {
        sampler = zipfSampler(count, exponent)
        samplers.set(key, sampler)
      }
      return sampler(random)
    },
  }
}

/** One of a scenario's journeys, by their weights. */
export function chosen(journeys: Scenario['journeys'], random: () => number): Journey {
  const total = journeys.reduce((sum, { weight = 1 }) => sum + weight, 0)
  let left = random() * total
  for (const journey of journeys) {
    left -= journey.weight ?? 1
    if (left < 0) return journey
  }
  return journeys.at(-1) as Journey
}

/** Milliseconds that a visitor thinks. */
export function thinkMs(think: Think | undefined, random: () => number): number {
  if (think === undefined) return 0
  if (typeof think === 'number') return think
  if ('meanMs' in think) return -Math.log(1 - random()) * think.meanMs
  return think.fromMs + random() * (think.toMs - think.fromMs)
}

/**
 * Ranks from 1 to `count`, with probabilities proportional to 1 / rank^exponent, in constant time and memory.
 *
 * Source: rejection-inversion, W. Hörmann and G. Derflinger, "Rejection-inversion to generate variates from monotone discrete
 * distributions", ACM TOMACS 6.3 (1996), as Apache Commons RNG has it.
 */
export function zipfSampler(count: number, exponent: number): (random: () => number) => number {
  if (!(Number.isInteger(count) && count > 0 && exponent > 0))
    throw new Error(`zipf(${count}, ${exponent}): needs a whole number from 1 on, and an exponent above 0`)
  /** Integral of the density, with its limit where the exponent is 1. */
  const integral = (x: number) => {
    const log = Math.log(x)
    return expm1Over((1 - exponent) * log) * log
  }
  const density = (x: number) => Math.exp(-exponent * Math.log(x))
  const inverse = (x: number) => {
    const t = Math.max(-1, x * (1 - exponent))
    return Math.exp(log1pOver(t) * x)
  }
  const first = integral(1.5) - 1
  const last = integral(count + 0.5)
  const shortcut = 2 - inverse(integral(2.5) - density(2))
  return (random) => {
    for (;;) {
      const u = last + random() * (first - last)
      const x = inverse(u)
      const k = Math.min(count, Math.max(1, Math.round(x)))
      if (k - x <= shortcut || u >= integral(k + 0.5) - density(k)) return k
    }
  }
}

/** Ranks in an order that repeats after 65,536 of them: for runs whose contenders must be asked the same. */
export function zipfSequence(count: number, seed: number): (i: number) => number {
  const random = seededRandom(seed)
  const rank = zipfSampler(count, 0.99)
  const ranks = Uint16Array.from({ length: 65_536 }, () => rank(random))
  return (i) => ranks[i % ranks.length] as number
}

/** (e^x - 1) / x, also near 0. */
function expm1Over(x: number): number {
  return Math.abs(x) > 1e-8 ? Math.expm1(x) / x : 1 + x / 2
}

/** log(1 + x) / x, also near 0. */
function log1pOver(x: number): number {
  return Math.abs(x) > 1e-8 ? Math.log1p(x) / x : 1 - x / 2
}
