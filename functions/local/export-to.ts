/**
 * `npm run backup -- export VALUE --to FOLDER`: what is kept of one distribution value, as somebody is handed it: rows as JSON lines, each table as
 * CSV, and the files that the rows name.
 * @module
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** Asks the server, with the secret key. @param path from `/`; it throws what the server says */
export type Ask = (path: string) => Promise<Response>

/** What was written, and what could not be: files whose bytes are gone, and names that lead out of the folder. */
export interface Exported {
  readonly rows: number
  readonly tables: readonly string[]
  readonly files: number
  readonly left: readonly string[]
}

export async function exportTo(ask: Ask, value: string, folder: string): Promise<Exported> {
  const own = `/backups/v1/export/${encodeURIComponent(value)}`
  await mkdir(folder, { recursive: true })
  const lines = join(folder, 'rows.jsonl')
  await save(await ask(own), lines)
  const counts = await countLines(lines)
  for (const table of counts.keys()) {
    await save(await ask(`${own}?table=${encodeURIComponent(table)}`), join(folder, `${table}.csv`))
  }
  const { files } = (await (await ask(`${own}/files`)).json()) as { files: readonly string[] }
  const left: string[] = []
  for (const file of files) {
    const to = resolve(folder, 'files', file)
    // A name is whatever somebody has called a file.
    if (relative(resolve(folder, 'files'), to).startsWith('..')) {
      left.push(`${file}: its name leads out of the folder`)
      continue
    }
    const path = `/storage/v1/object/${file.split('/').map(encodeURIComponent).join('/')}`
    try {
      const answer = await ask(path)
      await mkdir(dirname(to), { recursive: true })
      await save(answer, to)
    } catch (error) {
      left.push(`${file}: ${error instanceof Error ? error.message : error}`)
    }
  }
  const rows = [...counts.values()].reduce((sum, n) => sum + n, 0)
  return { rows, tables: [...counts.keys()], files: files.length - left.length, left }
}

async function save({ body }: Response, to: string): Promise<void> {
  await pipeline(Readable.fromWeb((body ?? new Blob([]).stream()) as never), createWriteStream(to))
}

/** Rows by table; a file is read line by line, as there may be many. */
async function countLines(file: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (line === '') continue
    const { table } = JSON.parse(line) as { table: string }
    counts.set(table, (counts.get(table) ?? 0) + 1)
  }
  return counts
}
