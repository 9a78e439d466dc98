/** An answer as it is kept, whoever it is for. */
export interface CachedAnswer {
  /** Number of rows. */
  readonly rows: number
  readonly total: number | null
  /** The body, and its ETag; null when there is none that can be answered with (no single row, say). */
  readonly body: string | null
  readonly tag: string | null
}

export interface CacheEntry {
  readonly answer: CachedAnswer
  /** Tokens of the generations that were current before it was read, in the order of its tags. */
  readonly generations: readonly string[]
  /** Where the databases stood that it was read from. */
  readonly bookmarks: ReadonlyMap<string, string>
  /** When its generations were read, and until when it may be served, in milliseconds since 1970. */
  readonly at: number
  readonly until: number
  /** How long it took to read, in milliseconds. */
  readonly tookMs: number
  /** Tokens that were current when it was last found to have outlived what had changed; the isolate's own, and not kept in the store. */
  outlived?: readonly string[]
}

/** Bodies from this length on are compressed, in characters: below, it saves less than it costs. */
const compressedFrom = 8192

export async function entryText(entry: CacheEntry): Promise<string> {
  const { answer, generations, bookmarks, at, until, tookMs } = entry
  const { body } = answer
  const isLong = body !== null && body.length >= compressedFrom
  const kept = isLong ? toBase64(await gzip(body)) : body
  return JSON.stringify([
    isLong ? 1 : 0,
    answer.rows,
    answer.total,
    answer.tag,
    generations,
    [...bookmarks],
    at,
    until,
    tookMs,
    kept,
  ])
}

/** @throws when the text is no entry */
export async function parseEntry(text: string): Promise<CacheEntry> {
  const [packed, rows, total, tag, generations, bookmarks, at, until, tookMs, kept] = JSON.parse(text) as [
    number,
    number,
    number | null,
    string | null,
    string[],
    [string, string][],
    number,
    number,
    number,
    string | null,
  ]
  if (!Array.isArray(generations)) throw new Error('the store holds an entry that is none')
  const body = packed === 1 && kept !== null ? await gunzip(fromBase64(kept)) : kept
  return { answer: { rows, total, body, tag }, generations, bookmarks: new Map(bookmarks), at, until, tookMs }
}

async function gzip(text: string): Promise<Uint8Array> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

async function gunzip(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))
  return new Response(stream).text()
}

function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192))
  return btoa(text)
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}
