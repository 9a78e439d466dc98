import { errors } from '../errors.ts'

export interface CsvCell {
  readonly text: string
  readonly quoted: boolean
}

/**
 * Reads CSV (RFC 4180): fields in double quotes may hold commas, line breaks and doubled quotes. Empty lines at the
 * end are no rows.
 */
export function parseCsv(text: string): CsvCell[][] {
  const pattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y
  const lines: CsvCell[][] = []
  let line: CsvCell[] = []
  while (pattern.lastIndex < text.length || line.length > 0) {
    const found = pattern.exec(text)
    if (!found)
      throw errors.invalidBody('The CSV has a quote in the middle of a field, or one that does not end')
    const [, quoted, bare = '', end] = found
    line.push({
      text: quoted === undefined ? bare : quoted.replaceAll('""', '"'),
      quoted: quoted !== undefined,
    })
    if (end === ',') continue
    const isBlank = line.length === 1 && line[0]?.text === '' && !line[0].quoted
    if (!isBlank) lines.push(line)
    line = []
  }
  return lines
}
