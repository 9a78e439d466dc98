/** Buckets of each power of two: a bucket is 1/32 wide, so its middle is off by 1.6 % at most. */
const perOctave = 32
/** The lowest and highest powers of two that are told apart. */
const [lowest, highest] = [-10, 30]
const size = (highest - lowest) * perOctave

/**
 * Log-linear histogram: counts of values by buckets that grow with them, so that quantiles have a relative error under 2 % from
 * 0.001 to 10^9. Histograms can be added up. Source: HdrHistogram (http://hdrhistogram.org), DDSketch (VLDB 2019) for the bound.
 */
export class Histogram {
  #counts = new Uint32Array(size)
  #count = 0
  #sum = 0

  get count(): number {
    return this.#count
  }

  get sum(): number {
    return this.#sum
  }

  /** @param times how often */
  add(value: number, times = 1): void {
    const bucket = bucketOf(value)
    this.#counts[bucket] = (this.#counts[bucket] as number) + times
    this.#count += times
    if (value > 0) this.#sum += value * times
  }

  /** The value that a share of all are at most; NaN when there are none. */
  quantile(share: number): number {
    return quantileOf(this.buckets(), this.#count, share)
  }

  /** Buckets that are not empty, with their counts, the lowest first. */
  buckets(): [bucket: number, count: number][] {
    const found: [number, number][] = []
    for (let bucket = 0; bucket < size; bucket++) {
      const count = this.#counts[bucket] as number
      if (count > 0) found.push([bucket, count])
    }
    return found
  }

  /** The middles of buckets that are not empty, with their counts, the lowest first. */
  values(): [value: number, count: number][] {
    return this.buckets().map(([bucket, count]) => [middleOf(bucket), count])
  }

  clear(): void {
    this.#counts = new Uint32Array(size)
    this.#count = 0
    this.#sum = 0
  }

  /** Halves what it holds, so that what was added later counts for more. */
  halve(): void {
    this.#count = 0
    for (let bucket = 0; bucket < size; bucket++) {
      const half = (this.#counts[bucket] as number) >> 1
      this.#counts[bucket] = half
      this.#count += half
    }
    this.#sum /= 2
  }
}

export function bucketOf(value: number): number {
  if (!(value > 2 ** lowest)) return 0
  const octave = Math.floor(Math.log2(value))
  if (octave >= highest) return size - 1
  const within = Math.min(perOctave - 1, Math.max(0, Math.floor((value / 2 ** octave - 1) * perOctave)))
  return (octave - lowest) * perOctave + within
}

/** Upper end of a bucket. */
export function boundOf(bucket: number): number {
  const octave = Math.floor(bucket / perOctave) + lowest
  return 2 ** octave * (1 + ((bucket % perOctave) + 1) / perOctave)
}

function middleOf(bucket: number): number {
  const octave = Math.floor(bucket / perOctave) + lowest
  return 2 ** octave * (1 + ((bucket % perOctave) + 0.5) / perOctave)
}

/** @param buckets the lowest first */
export function quantileOf(
  buckets: readonly (readonly [bucket: number, count: number])[],
  count: number,
  share: number,
): number {
  let left = Math.max(1, Math.ceil(share * count))
  for (const [bucket, n] of buckets) {
    left -= n
    if (left <= 0) return middleOf(bucket)
  }
  return Number.NaN
}
