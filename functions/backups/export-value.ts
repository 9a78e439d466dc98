/**
 * All rows of one distribution value for those who ask what is kept of them: JSON lines, or a table as CSV.
 * @module
 */
import { valuesOf } from '../../db/backups/format.ts'
import type { ValueRows } from '../../db/backups/read-value.ts'

const encoder = new TextEncoder()

/** One line for each row: `{"table":"customers","row":{"id":7}}`; blobs are objects with their hexadecimal digits, as in backups. */
export function asJsonLines({ table, columns, rows }: ValueRows): string {
  const names = columns.map((name) => JSON.stringify(name))
  return rows
    .map((row) => {
      const pairs = valuesOf(row).map((value, i) => `${names[i]}:${value}`)
      return `{"table":${JSON.stringify(table)},"row":{${pairs.join(',')}}}\n`
    })
    .join('')
}

/** Lines of RFC 4180; null is an empty field, a blob its hexadecimal digits. */
export function asCsv({ rows }: ValueRows): string {
  return rows.map((row) => csvLine(valuesOf(row).map(plainText))).join('')
}

export function csvLine(fields: readonly string[]): string {
  const quoted = fields.map((field) => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
  return `${quoted.join(',')}\r\n`
}

function plainText(json: string): string {
  if (json === 'null') return ''
  if (json.startsWith('"')) return JSON.parse(json) as string
  if (!json.startsWith('{')) return json
  const { blob, text = '' } = JSON.parse(json) as { readonly blob?: string; readonly text?: string }
  return (
    blob ??
    new TextDecoder().decode(Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)))
  )
}

/** Texts as a body that is made as it is read. */
export function streamOf(texts: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await texts.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    async cancel() {
      await texts.return(undefined)
    },
  })
}
