/**
 * The text of a `wrangler.toml` as tables and their keys, each with the comments before it. Nothing is lost: joined again, it is the same
 * text. Written here because parsers that keep comments do not say which of them belongs to what.
 * @module
 */

/** A key with its value, which may have several lines. */
export interface TomlEntry {
  readonly key: string
  /** Comments and empty lines before it, each with its line's end. */
  readonly lead: string
  readonly text: string
}

/** A table, or what stands before the first. */
export interface TomlBlock {
  /** `[vars]`, `[[d1_databases]]`; nothing for what stands before the first. */
  readonly header: string
  readonly lead: string
  readonly entries: readonly TomlEntry[]
}

export interface TomlText {
  readonly blocks: readonly TomlBlock[]
  /** Comments behind everything else. */
  readonly tail: string
}

const header = /^\s*(\[\[?[^\]]+\]\]?)\s*(?:#.*)?$/
const keyed = /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/

export function readToml(text: string): TomlText {
  const lines = text.split(/(?<=\n)/)
  const blocks: { header: string; lead: string; entries: TomlEntry[] }[] = [
    { header: '', lead: '', entries: [] },
  ]
  let lead = ''
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string
    const [, head] = header.exec(line) ?? []
    const [, key] = keyed.exec(line) ?? []
    if (head !== undefined) {
      blocks.push({ header: head.replaceAll(/\s/g, ''), lead, entries: [] })
      lead = ''
    } else if (key !== undefined) {
      let value = line
      while (isOpen(value.slice(value.indexOf('=') + 1)) && i + 1 < lines.length) value += lines[++i]
      blocks.at(-1)?.entries.push({ key, lead, text: value })
      lead = ''
    } else lead += line
  }
  return { blocks, tail: lead }
}

export function writeToml({ blocks, tail }: TomlText): string {
  return (
    blocks
      .map(({ header, lead, entries }) => {
        const inside = entries.map((entry) => entry.lead + ended(entry.text)).join('')
        return lead + (header === '' ? '' : `${header}\n`) + inside
      })
      .join('') + tail
  )
}

const ended = (text: string) => (text.endsWith('\n') ? text : `${text}\n`)

/** Whether a value goes on in the next line: a bracket, or a text in three quotes, is not closed yet. */
function isOpen(value: string): boolean {
  let depth = 0
  for (let i = 0; i < value.length; i++) {
    const char = value[i] as string
    if (char === '#') {
      i = value.indexOf('\n', i)
      if (i < 0) return depth > 0
    } else if (char === '"' || char === "'") {
      const mark = value.startsWith(char.repeat(3), i) ? char.repeat(3) : char
      let end = i + mark.length
      while (end < value.length && !value.startsWith(mark, end))
        end += char === '"' && value[end] === '\\' ? 2 : 1
      if (end >= value.length) return mark.length === 3
      i = end + mark.length - 1
    } else if (char === '[' || char === '{') depth++
    else if (char === ']' || char === '}') depth--
  }
  return depth > 0
}

/** What an entry says, without the comment behind it. */
export function valueIn(block: TomlBlock, key: string): string | null {
  const text = block.entries.find((entry) => entry.key === key)?.text
  return text === undefined ? null : bare(text)
}

/** The value of an entry's text, as it is compared. */
export function bare(text: string): string {
  return text
    .slice(text.indexOf('=') + 1)
    .replace(/^((?:[^#"']|"(?:[^"\\]|\\.)*"|'[^']*')*)#.*$/gm, '$1')
    .replaceAll(/\s+/g, ' ')
    .trim()
}
