/**
 * When journeys begin: pure functions of the scenario and of chance.
 * @module
 */
import type { RampPoint } from './scenario.ts'

/** A piece of time in which a share goes evenly from one value to another. Milliseconds. */
interface Piece {
  readonly startMs: number
  readonly endMs: number
  readonly from: number
  readonly to: number
}

/** A ramp as pieces, up to the end of the run: from 0 through its points, then level. */
function piecesOf(ramp: readonly RampPoint[] | undefined, durationMs: number): readonly Piece[] {
  if (ramp === undefined || ramp.length === 0) return [{ startMs: 0, endMs: durationMs, from: 1, to: 1 }]
  const pieces: Piece[] = []
  let startMs = 0
  let from = 0
  for (const { seconds, to } of ramp) {
    pieces.push({ startMs, endMs: startMs + seconds * 1000, from, to })
    startMs += seconds * 1000
    from = to
  }
  if (startMs < durationMs) pieces.push({ startMs, endMs: durationMs, from, to: from })
  return pieces
}

/** The share of rate or users that there is at a time. */
export function shareAt(ramp: readonly RampPoint[] | undefined, ms: number): number {
  const pieces = piecesOf(ramp, ms + 1)
  const { startMs, endMs, from, to } = pieces.find((piece) => ms < piece.endMs) ?? (pieces.at(-1) as Piece)
  return from + ((to - from) * (Math.min(ms, endMs) - startMs)) / (endMs - startMs)
}

/**
 * Milliseconds from the start at which journeys are due, in order: a Poisson process whose rate follows the ramp (by inversion of
 * its integral), or at even distances of it.
 *
 * @param rate journeys a second where the share is 1
 * @param random null: at even distances
 */
export function* dueTimes(
  rate: number,
  ramp: readonly RampPoint[] | undefined,
  durationMs: number,
  random: (() => number) | null,
): Generator<number> {
  const distance = () => (random === null ? 1 : -Math.log(1 - random()))
  /** Journeys that the next one is away, in units of the integral of the rate. */
  let left = random === null ? 0 : distance()
  for (const { startMs, endMs, from, to } of piecesOf(ramp, durationMs)) {
    const length = (Math.min(endMs, durationMs) - startMs) / 1000
    if (length <= 0) return
    const whole = (endMs - startMs) / 1000
    const slope = (rate * (to - from)) / whole
    const start = rate * from
    const total = start * length + (slope * length ** 2) / 2
    let passed = left
    while (passed < total) {
      yield startMs + 1000 * timeOf(passed, start, slope)
      passed += distance()
    }
    left = passed - total
  }
}

/** Seconds after which start * t + slope * t^2 / 2 has come to an amount. */
function timeOf(amount: number, start: number, slope: number): number {
  if (amount === 0) return 0
  // The form that does not lose digits where the slope is near 0.
  return (2 * amount) / (start + Math.sqrt(Math.max(0, start ** 2 + 2 * slope * amount)))
}
