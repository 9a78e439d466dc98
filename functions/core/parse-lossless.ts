/** A number as JSON has it, as far as it may have more digits than JavaScript keeps. */
const longNumber = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y

/**
 * Parses JSON whose numbers keep their digits. Those that a double would change become texts before the parser sees them, and what
 * `keep` makes of them afterwards: a reviver, which is called for every value there is, takes a hundred times as long.
 *
 * @throws SyntaxError for what is no JSON
 */
export function parseLossless(text: string, keep: (digits: string) => unknown): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text)
  // No text of the document begins so: nobody knows it before. Short, and of ASCII, as a copy of it stands before each such number.
  const mark = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(9))))
  const marked = withTexts(text, mark)
  if (marked === text) return JSON.parse(text)
  return restored(JSON.parse(marked), mark, keep)
}

/** Pieces that are joined at a time: a million of them would take more than the text. */
const piecesAtATime = 2000

function withTexts(text: string, mark: string): string {
  const joined: string[] = []
  let pieces: string[] = []
  let from = 0
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === 0x22) i = endOfText(text, i)
    else if (char === 0x2d || (char >= 0x30 && char <= 0x39)) {
      longNumber.lastIndex = i
      const [digits = ''] = longNumber.exec(text) ?? []
      if (digits.length >= 16 && loses(digits) && endsValue(text, i + digits.length)) {
        pieces.push(text.slice(from, i), `"${mark}${digits}"`)
        from = i + digits.length
        if (pieces.length >= piecesAtATime) {
          joined.push(pieces.join(''))
          pieces = []
        }
      }
      if (digits.length > 1) i += digits.length - 1
    }
  }
  if (from === 0) return text
  joined.push(...pieces, text.slice(from))
  return joined.join('')
}

function loses(digits: string): boolean {
  return /\d{16}/.test(digits) && String(Number(digits)) !== digits
}

/** Whether a number ends here that is a value, so that a text in its place makes no JSON of what is none. */
function endsValue(text: string, at: number): boolean {
  let next = at
  while (/[ \t\n\r]/.test(text.charAt(next))) next++
  return next >= text.length || ',]}'.includes(text.charAt(next))
}

/** Where the quote stands that ends a text of JSON which begins at `start`. */
export function endOfText(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === 0x5c) i++
    else if (char === 0x22) return i
  }
  return text.length
}

/** Puts numbers in the place of the texts that stand for them; without recursion, since JSON may be deep. */
function restored(json: unknown, mark: string, keep: (digits: string) => unknown): unknown {
  const numberOf = (value: string) => (value.startsWith(mark) ? keep(value.slice(mark.length)) : undefined)
  const whole = typeof json === 'string' ? numberOf(json) : undefined
  if (whole !== undefined) return whole
  const open: object[] = []
  if (typeof json === 'object' && json !== null) open.push(json)
  for (let holder = open.pop(); holder !== undefined; holder = open.pop()) {
    if (Array.isArray(holder)) {
      for (let i = 0; i < holder.length; i++) {
        const value: unknown = holder[i]
        if (typeof value === 'object') {
          if (value !== null) open.push(value)
        } else if (typeof value === 'string') holder[i] = numberOf(value) ?? value
      }
      continue
    }
    const record = holder as Record<string, unknown>
    for (const key in record) {
      const value = record[key]
      if (typeof value === 'object') {
        if (value !== null) open.push(value)
      } else if (typeof value === 'string') {
        const kept = numberOf(value)
        // Not assigned: a key may be `__proto__`.
        if (kept !== undefined)
          Object.defineProperty(record, key, {
            value: kept,
            writable: true,
            enumerable: true,
            configurable: true,
          })
      }
    }
  }
  return json
}
