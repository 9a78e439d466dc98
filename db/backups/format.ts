/**
 * The format of a backup: a signed manifest, and parts of lines that are gzipped JSON. `functions/backups/GUIDE.md` documents it for those who
 * read it without Atoll.
 * @module
 */

/** A line of a part: a row as it was, or, without `row`, that there is none. `key`, `value` and `row` are JSON as the database made it. */
export interface Line {
  readonly table: string
  readonly key: string
  /** The distribution value as text; null of tables that have none, and of rows that are gone. */
  readonly value: string | null
  /** JSON array of the columns that the manifest lists; null for a row that is gone. */
  readonly row: string | null
}

export function lineText({ table, key, value, row }: Line): string {
  return `{"table":${JSON.stringify(table)},"key":${key}${value === null ? '' : `,"value":${JSON.stringify(value)}`}${row === null ? '' : `,"row":${row}`}}`
}

/**
 * Reads a line, and leaves numbers and blobs as the text that they are: JavaScript's numbers have fewer digits than SQLite's.
 *
 * @throws SyntaxError for what no backup has written
 */
export function readLine(text: string): Line {
  JSON.parse(text)
  let at = 0
  const take = (expected: string): boolean => {
    if (!text.startsWith(expected, at)) return false
    at += expected.length
    return true
  }
  const json = (): string => {
    const start = at
    at = endOfJson(text, at)
    return text.slice(start, at)
  }
  const must = (expected: string) => {
    if (!take(expected)) throw new SyntaxError(`${expected} is missing in a line`)
  }
  must('{"table":')
  const table = JSON.parse(json()) as string
  must(',"key":')
  const key = json()
  const value = take(',"value":') ? (JSON.parse(json()) as string) : null
  const row = take(',"row":') ? json() : null
  must('}')
  return { table, key, value, row }
}

/** The values of a row, each as JSON: with all their digits. */
export function valuesOf(row: string): string[] {
  const values: string[] = []
  for (let at = 1; at < row.length - 1; at++) {
    const start = at
    at = '"[{'.includes(row[at] as string) ? endOfJson(row, at) : row.slice(at).search(/[,\]]/) + at
    values.push(row.slice(start, at))
  }
  return values
}

/** Where an array, object or string ends that begins here; the text is known to be JSON. */
function endOfJson(text: string, from: number): number {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const c = text[at]
    if (c === '"') {
      for (at++; text[at] !== '"'; at++) if (text[at] === '\\') at++
      if (depth === 0) return at + 1
    } else if (c === '[' || c === '{') depth++
    else if ((c === ']' || c === '}') && --depth === 0) return at + 1
  }
  throw new SyntaxError('a line ends too early')
}

const encoder = new TextEncoder()

/** A sum over rows that does not depend on their order: 64 bits, in two halves. */
export class RowSum {
  #high = 0
  #low = 0
  rows = 0

  /** @param key null for rows that have no key of their own: it is another one in each database */
  add(table: string, key: string | null, row: string): void {
    const [high, low] = hash64(`${table}\n${key ?? ''}\n${row}`)
    const sum = this.#low + low
    this.#low = sum >>> 0
    this.#high = (this.#high + high + (sum > 0xffffffff ? 1 : 0)) >>> 0
    this.rows++
  }

  /** Sixteen hexadecimal digits. */
  get text(): string {
    return this.#high.toString(16).padStart(8, '0') + this.#low.toString(16).padStart(8, '0')
  }

  /** Goes on from a sum that was noted. */
  static from(text: string, rows: number): RowSum {
    const sum = new RowSum()
    sum.#high = Number.parseInt(text.slice(0, 8), 16)
    sum.#low = Number.parseInt(text.slice(8), 16)
    sum.rows = rows
    return sum
  }
}

/** FNV-1a of 64 bits over UTF-8. Source: http://www.isthe.com/chongo/tech/comp/fnv/ */
function hash64(text: string): readonly [high: number, low: number] {
  // The prime is 2^40 + 0x1b3; the state is four parts of 16 bits.
  let [a, b, c, d] = [0x2325, 0x8422, 0x9ce4, 0xcbf2]
  for (const byte of encoder.encode(text)) {
    a ^= byte
    const [a1, b1] = [a * 0x1b3, b * 0x1b3]
    const [c1, d1] = [c * 0x1b3 + (a << 8), d * 0x1b3 + (b << 8)]
    const b2 = b1 + (a1 >>> 16)
    const c2 = c1 + (b2 >>> 16)
    a = a1 & 0xffff
    b = b2 & 0xffff
    d = (d1 + (c2 >>> 16)) & 0xffff
    c = c2 & 0xffff
  }
  return [((d << 16) | c) >>> 0, ((b << 16) | a) >>> 0]
}

/** `rows` of tables as chunks found them, `changes` that were read again since, `whole` tables of which no log tells, read in the last transaction. */
export type PartKind = 'rows' | 'changes' | 'whole'

/** One file of a backup. Of two lines of a database about one row, the later one counts, in the order of the parts. */
export interface Part {
  /** Under the backup's folder. */
  readonly file: string
  /** The backup whose folder that is; left out: of the manifest that names it. Only of chains that are read as one. */
  readonly backup?: string
  /** What that backup is as of, by the part's database's clock: milliseconds since 1970. */
  readonly at?: number
  readonly database: string
  readonly kind: PartKind
  readonly tables: readonly string[]
  readonly lines: number
  /** As it is stored, compressed. */
  readonly bytes: number
  /** Hexadecimal, of the compressed bytes. */
  readonly sha256: string
}

/** A part's file as it is told: with its backup, when that is another one. */
export const toldFile = ({ file, backup }: Part) => (backup === undefined ? file : `${backup}/${file}`)

/** A table as it was read. */
export interface BackupTable {
  readonly name: string
  readonly placement: 'distributed' | 'reference' | 'local' | 'system'
  /** Distribution column. */
  readonly by: string | null
  /** Of the values of a row. */
  readonly columns: readonly string[]
  readonly key: readonly { readonly name: string; readonly isBlob: boolean }[]
}

/** What of a table a database held. */
export interface Counted {
  readonly rows: number
  /** `RowSum`. */
  readonly sum: string
}

export interface BackupDatabase {
  readonly name: string
  /** Of its change log: it is as of exactly this. */
  readonly position: number
  /** Of D1, after the transaction that read it. */
  readonly bookmark: string | null
  /** When that transaction ran, by the database's clock: milliseconds since 1970. */
  readonly at: number
  /** What the parts of this backup hold of it: of a full one the whole, of an increment the rows that have changed. */
  readonly tables: Readonly<Record<string, Counted>>
  /** Rows by table, as the database itself counted them in that transaction; tables with very many are left out. */
  readonly held?: Readonly<Record<string, number>>
  /** What an increment needs to be the same as its parent; left out by backups from before there were increments. */
  readonly state?: DatabaseState
}

/** What a change log does not tell of. */
export interface DatabaseState {
  /** At which epoch its slots last changed. */
  readonly slots: number
  /** Which life of the database it is. */
  readonly life: string
  /** SHA-256 of its migrations, of its tables' SQL, and of where they lie. */
  readonly schema: string
  /** The last restore that has laid rows. */
  readonly restored: string | null
}

/** What an increment adds to. */
export interface ParentLink {
  readonly id: string
  /** Of the parent, by database: from here on the change log was read. */
  readonly positions: Readonly<Record<string, number>>
  /** The how manieth increment since the full backup it is, from 1. */
  readonly number: number
}

/** What is not in a backup. */
export interface LeftOut {
  readonly what: string
  readonly why: string
}

/** What is known of a backup: all that a restore needs beside its parts. */
export interface Manifest {
  readonly format: 'atoll-backup'
  /** 2: an increment, which code that knows version 1 alone must not take for the whole. */
  readonly version: 1 | 2
  readonly id: string
  readonly kind: 'full' | 'increment'
  /** Of an increment. */
  readonly parent?: ParentLink
  /** Why it is a full one, though an increment was asked for. */
  readonly instead?: string
  /** ISO 8601. */
  readonly begun: string
  readonly finished: string
  /** The app's migrations that were applied, with the hashes of their files. */
  readonly migrations: readonly { readonly name: string; readonly hash: string | null }[]
  readonly map: {
    readonly epoch: number
    readonly ranges: readonly (readonly [number, number, string])[]
  } | null
  readonly databases: readonly BackupDatabase[]
  readonly tables: readonly BackupTable[]
  readonly parts: readonly Part[]
  readonly leftOut: readonly LeftOut[]
  /** Names of the erasures that it has been written anew for; left out: none. */
  readonly forgotten?: readonly string[]
}

/** What a part is as of, by its database's clock: milliseconds since 1970. */
export const asOf = ({ databases }: Manifest, { database, at }: Part) =>
  at ?? databases.find(({ name }) => name === database)?.at ?? 0

/** The folder of a backup's parts. It is there when its manifest is. */
export const folderOf = (id: string) => `parts/${id}/`
/** The folder of manifests. */
export const manifests = 'manifests/'
/** Where the manifest of a backup lies. */
export const manifestOf = (id: string) => `${manifests}${id}.json`

/** Signs texts and checks signatures: hexadecimal HMAC-SHA256. */
export interface Signer {
  sign(text: string): Promise<string>
}

const signatureField = /,"signature":"([0-9a-f]{64})"\}$/

/** A manifest as JSON whose last field is the signature of all that stands before it. */
export async function signedText(manifest: Manifest, signer: Signer): Promise<string> {
  const text = JSON.stringify(manifest)
  return `${text.slice(0, -1)},"signature":"${await signer.sign(text)}"}`
}

/** Why a manifest is not to be used. */
export class BadManifest extends Error {
  override readonly name = 'BadManifest'
}

/** @throws BadManifest when it is none of this project's, or somebody has changed it */
export async function readManifestText(text: string, signer: Signer): Promise<Manifest> {
  const [field = '', signature] = signatureField.exec(text) ?? []
  if (signature === undefined) throw new BadManifest('the manifest has no signature')
  const signed = `${text.slice(0, text.length - field.length)}}`
  if ((await signer.sign(signed)) !== signature)
    throw new BadManifest(
      "the manifest's signature is not this project's: somebody has changed it, or it was made with other secrets",
    )
  const manifest = JSON.parse(signed) as Manifest
  if (manifest.format !== 'atoll-backup' || (manifest.version !== 1 && manifest.version !== 2))
    throw new BadManifest(
      `the manifest's version is ${manifest.version}, and this code reads versions 1 and 2`,
    )
  return manifest
}
