/**
 * Whether it pays to ask the cache: where answers are rarely asked for again before what they are made from has changed, looking for them
 * and keeping them costs more than it saves.
 * @module
 */
import { RecentMap } from '../../db/memory/recent-map.ts'
import { hashText } from '../core/hash-text.ts'
import type { CacheQuery } from './cache-query.ts'

/** What became of a read that went through the cache. */
export type Outcome =
  /** Served without asking the store, or after it. */
  | 'hit-at-once'
  | 'hit'
  /** What there was had changed. */
  | 'stale'
  /** There was nothing. */
  | 'miss'

/** Shapes that are judged, and bytes of what names them. */
const maxShapes = 1000
const maxShapeBytes = 1_000_000
/** Keys of answers that are too large to be kept, and for how long that is believed, in milliseconds. */
const maxUnkept = 500
const maxUnkeptBytes = 500_000
const unkeptMs = 60_000

/** Places for what was asked lately, eight bytes each; of those that share one, the last. */
const places = 32_768

/** Reads that are judged together, and those of a trial. */
const [judgedReads, trialReads] = [256, 64]
/** Of what all of them could save: what must be foreseen before they go through the cache again. */
const resumedFrom = 0.1
/** Reads that pass the cache by before some go through it again whatever is foreseen: at first, and at most. */
const firstPause = 4096
const longestPause = 131_072
/** How often what is usual rises, by a twentieth, in milliseconds. */
const riseMs = 100
/** What part of its cost counts against a read that would have been a hit, had it gone through the cache the last time. */
const foreseenMiss = 1 / 16

/** A call counts as no more than this part of a read: a database bears fewer of these, whatever each takes. */
const mostOfRead = 0.5
/** Calls to the store that a read takes for which it has nothing: a look, what is missing and a lease, the entry. */
const callsOfMiss = 3
/** What a look takes where it is no call, and what a call and a read of a database take at least, in milliseconds. */
const [localMs, callMs, readMs] = [0.02, 0.3, 0.5]

interface Judged {
  /** What reading the databases takes. */
  readonly read: Usual
  /** Whether it goes through the cache. */
  isCached: boolean
  /** Reads since the last judgement, those that are judged together, and milliseconds that they have saved, or would have. */
  reads: number
  wanted: number
  saved: number
  /** Of those through the cache: how many were foreseen to be hits, and how many of them others had made stale. */
  foreseen: number
  mistaken: number
  /** Whether what is foreseen counts. */
  isForeseen: boolean
  /** Reads that still pass by before a trial, and how many do before the next. */
  pause: number
  nextPause: number
}

/**
 * Judges shapes of requests by what their reads through the cache have cost and saved, in time that was waited. Of a shape that does not pay, reads
 * go by the cache; which of them would have been hits is told by when the same was asked before and when this isolate wrote its tags. What
 * others write is not known then: so after many reads some go through the cache again, after ever more if that does not pay either.
 */
export class Worth {
  readonly #isLocal: boolean
  readonly #shapes = new RecentMap<Judged>({
    maxEntries: maxShapes,
    maxBytes: maxShapeBytes,
    maxEntryBytes: maxShapeBytes / 8,
  })
  readonly #unkept = new RecentMap<number>({ maxEntries: maxUnkept, maxBytes: maxUnkeptBytes })
  /** Hashes of keys, and when they were asked, in seconds since `#began`. */
  readonly #asked = new Uint32Array(places)
  readonly #askedAt = new Float32Array(places)
  readonly #began = Date.now()
  readonly #call = new Usual(callMs)

  /** @param isLocal whether asking the store is no call */
  constructor(isLocal: boolean) {
    this.#isLocal = isLocal
  }

  /**
   * Whether a read goes through the cache; to be asked once for each read.
   *
   * @param writtenAt when this isolate has written any of its tags last, in milliseconds since 1970
   */
  isWorth(query: CacheQuery, writtenAt: number): boolean {
    const now = Date.now()
    const until = this.#unkept.get(query.key)
    if (until !== undefined && now < until) return false
    const judged = this.#of(query.shape)
    if (judged.isCached) return true
    judged.saved += this.#savedBy(judged, this.#wouldHit(query, writtenAt, now) ? 'hit' : 'miss')
    judged.reads++
    judged.pause--
    if (judged.reads >= judgedReads) {
      const most = judged.reads * this.#savedBy(judged, 'hit')
      if (judged.isForeseen && judged.saved > resumedFrom * Math.max(0, most)) resume(judged, judgedReads)
      else begin(judged)
    }
    if (judged.pause <= 0) resume(judged, trialReads)
    return judged.isCached
  }

  /** What became of a read that went through the cache. */
  note(query: CacheQuery, outcome: Outcome, writtenAt: number): void {
    const judged = this.#of(query.shape)
    const isForeseen = this.#wouldHit(query, writtenAt, Date.now())
    if (isForeseen) judged.foreseen++
    if (isForeseen && outcome === 'stale') judged.mistaken++
    // What was asked before and is not there comes with the first reads after a pause, and where others take its place.
    const part = isForeseen && outcome === 'miss' ? foreseenMiss : 1
    judged.saved += part * this.#savedBy(judged, outcome)
    judged.reads++
    if (judged.reads < judged.wanted) return
    if (judged.saved >= 0) {
      judged.isForeseen = true
      judged.nextPause = firstPause
    } else {
      judged.isCached = false
      judged.isForeseen = 2 * judged.mistaken <= judged.foreseen
      judged.pause = judged.nextPause
      judged.nextPause = Math.min(longestPause, 2 * judged.nextPause)
    }
    begin(judged)
  }

  /** How long the databases took, in milliseconds. */
  tookDatabase({ shape }: CacheQuery, ms: number): void {
    this.#of(shape).read.note(ms)
  }

  /** How long the store took, in milliseconds. */
  tookStore(ms: number): void {
    if (!this.#isLocal) this.#call.note(ms)
  }

  /** That the answer is too large to be kept. */
  tooLarge({ key }: CacheQuery): void {
    this.#unkept.set(key, Date.now() + unkeptMs)
  }

  #of(shape: string): Judged {
    const known = this.#shapes.get(shape)
    if (known !== undefined) return known
    const judged: Judged = {
      read: new Usual(readMs),
      isCached: true,
      reads: 0,
      wanted: judgedReads,
      saved: 0,
      foreseen: 0,
      mistaken: 0,
      isForeseen: true,
      pause: 0,
      nextPause: firstPause,
    }
    this.#shapes.set(shape, judged)
    return judged
  }

  #savedBy({ read }: Judged, outcome: Outcome): number {
    const took = read.ms
    const call = this.#isLocal ? localMs : Math.min(this.#call.ms, mostOfRead * took)
    if (outcome === 'hit-at-once') return took
    return outcome === 'hit' ? took - call : -callsOfMiss * call
  }

  /** Whether the same was asked not too long ago, and nothing written here since; notes that it is asked. */
  #wouldHit({ key, ttlMs }: CacheQuery, writtenAt: number, now: number): boolean {
    const hash = hashText(key)
    const place = hash % places
    const before = this.#began + 1000 * (this.#askedAt[place] as number)
    const known = this.#asked[place] === hash && before > writtenAt && now - before < ttlMs
    this.#asked[place] = hash
    this.#askedAt[place] = (now - this.#began) / 1000
    return known
  }
}

/**
 * What something takes when an isolate does not keep it waiting, in milliseconds: it falls quickly and rises slowly, so that a busy moment,
 * which says nothing of what it costs, is hardly seen.
 */
class Usual {
  readonly #leastMs: number
  #roseAt = Date.now()
  ms: number

  constructor(leastMs: number) {
    this.#leastMs = leastMs
    this.ms = leastMs
  }

  note(took: number): void {
    const ms = Math.max(this.#leastMs, took)
    const now = Date.now()
    if (ms < this.ms) this.ms += (ms - this.ms) / 8
    else if (now - this.#roseAt >= riseMs) {
      this.#roseAt = now
      this.ms = Math.min(ms, this.ms * 1.05)
    }
  }
}

function begin(judged: Judged): void {
  judged.reads = 0
  judged.saved = 0
  judged.foreseen = 0
  judged.mistaken = 0
}

function resume(judged: Judged, wanted: number): void {
  begin(judged)
  judged.isCached = true
  judged.wanted = wanted
}
