/** An event as the server has kept it. */
export interface Noted {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly kind: string
  /** JSON; cut off where it was long. */
  readonly text: string
}

/** Events that say the same. */
export interface EventGroup {
  readonly key: string
  readonly kind: string
  /** What happened, in a line. */
  readonly said: string
  readonly isGood: boolean
  readonly latest: number
  readonly count: number
  /** The latest of them, whole. */
  readonly examples: readonly { readonly at: number; readonly detail: string }[]
}

const examplesKept = 5
const maxSaid = 240

/** Events by what they say, those that came last first. Numbers and ids in them make no difference. */
export function groupEvents(events: readonly Noted[]): EventGroup[] {
  const groups = Map.groupBy(events, ({ kind, text }) => `${kind} ${alike(sayEvent(text))}`)
  return [...groups]
    .map(([key, own]) => {
      const newest = own.toSorted((a, b) => b.at - a.at)
      const { kind, text, at } = newest[0] as Noted
      return {
        key,
        kind,
        said: sayEvent(text),
        isGood: /recovered|well|swept|done|made/.test(kind),
        latest: at,
        count: own.length,
        examples: newest.slice(0, examplesKept).map((one) => ({ at: one.at, detail: pretty(one.text) })),
      }
    })
    .sort((a, b) => b.latest - a.latest)
}

/** An event in a line: its error or reason, and what it is about. */
export function sayEvent(text: string): string {
  const event = parse(text)
  if (event === null) return cut(text)
  const { kind: _, error, message, reason, ...about } = event
  const why = [messageOf(error), messageOf(message), messageOf(reason)].filter((part) => part !== null)
  const facts = Object.entries(about).flatMap(([name, value]) =>
    value === null || typeof value === 'object' ? [] : [`${name} ${value}`],
  )
  return cut([...why, facts.join(', ')].filter((part) => part !== '').join(' – '))
}

function messageOf(value: unknown): string | null {
  if (typeof value === 'string') return value.split('\n', 1)[0] ?? null
  if (typeof value !== 'object' || value === null) return null
  return messageOf((value as { message?: unknown }).message)
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

const pretty = (text: string) => {
  const event = parse(text)
  return event === null ? text : JSON.stringify(event, null, 2)
}

const cut = (text: string) => (text.length > maxSaid ? `${text.slice(0, maxSaid)}…` : text)

/** Without what tells one from another: numbers, and ids of hexadecimal or Crockford's digits. */
const alike = (said: string) =>
  said.replace(/\b[0-9A-HJKMNP-TV-Z]{26}\b|\b[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b/g, '#').replace(/\d+/g, '#')
