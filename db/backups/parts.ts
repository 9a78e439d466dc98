/**
 * Files of a backup: lines, gzipped, written and read again.
 * @module
 */
import type { BackupFiles } from './backup-world.ts'
import { folderOf, type Line, lineText, type Part, readLine, toldFile } from './format.ts'

/** A file that is not as its backup says. */
export class DamagedPart extends Error {
  override readonly name = 'DamagedPart'
}

/** Writes lines as a part, under a name that nobody else writes. */
export async function writePart(
  files: BackupFiles,
  id: string,
  number: number,
  { database, kind }: Pick<Part, 'database' | 'kind'>,
  lines: readonly Line[],
): Promise<Part> {
  const bytes = await through(
    new TextEncoder().encode(`${lines.map(lineText).join('\n')}\n`),
    new CompressionStream('gzip'),
  )
  const file = `${String(number).padStart(6, '0')}-${database}-${kind}-${crypto.randomUUID().slice(0, 8)}.jsonl.gz`
  const part: Part = {
    file,
    database,
    kind,
    tables: [...new Set(lines.map(({ table }) => table))],
    lines: lines.length,
    bytes: bytes.byteLength,
    sha256: await sha256(bytes),
  }
  await files.put(folderOf(id) + file, bytes)
  return part
}

/** @throws DamagedPart when it is missing, or its bytes are others */
export async function readPart(files: BackupFiles, id: string, part: Part): Promise<Line[]> {
  const bytes = await files.get(folderOf(part.backup ?? id) + part.file)
  if (bytes === null) throw new DamagedPart(`${toldFile(part)} is missing`)
  if ((await sha256(bytes)) !== part.sha256)
    throw new DamagedPart(`${toldFile(part)} is damaged: it has another SHA-256`)
  const text = new TextDecoder().decode(await through(bytes, new DecompressionStream('gzip')))
  return text.trimEnd().split('\n').map(readLine)
}

async function through(
  bytes: Uint8Array,
  stream: CompressionStream | DecompressionStream,
): Promise<Uint8Array> {
  const piped = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(stream)
  return new Uint8Array(await new Response(piped).arrayBuffer())
}

export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Which line about a row is the last, by table and key: those of `changes` count more than what chunks found. */
export class LastLines {
  readonly #last = new Map<string, number>()
  #count = 0

  /** @param number of the part, as `isLast` will be asked */
  add(number: number, lines: readonly Line[], database: string): void {
    for (const [i, line] of lines.entries()) this.#last.set(idOf(database, line), number * perPart + i)
    this.#count += lines.length
  }

  get count(): number {
    return this.#count
  }

  /** Whether a line of a part of `changes` is the last about its row; of `rows`, whether there is no later one. */
  isLast(part: Part, number: number, i: number, line: Line): boolean {
    const last = this.#last.get(idOf(part.database, line))
    return part.kind === 'rows' ? last === undefined : last === number * perPart + i
  }
}

/** More than a part has lines. */
const perPart = 2 ** 24

const idOf = (database: string, { table, key }: Line) => `${database} ${table} ${key}`

/** Reads all parts of `changes`. @param onDamage is told of those that cannot be read; left out: they are an error */
export async function readLastLines(
  files: BackupFiles,
  id: string,
  parts: readonly Part[],
  onDamage?: (part: Part, error: DamagedPart) => void,
): Promise<LastLines> {
  const last = new LastLines()
  for (const [number, part] of parts.entries()) {
    if (part.kind !== 'changes') continue
    try {
      last.add(number, await readPart(files, id, part), part.database)
    } catch (error) {
      if (!(error instanceof DamagedPart) || !onDamage) throw error
      onDamage(part, error)
    }
  }
  return last
}
