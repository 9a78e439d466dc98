/** One thing that was looked at. */
export interface Finding {
  /** What was looked at, in a word or two. */
  readonly about: string
  /** A fault keeps the project from working; a warning will one day; what is unknown could not be looked at. */
  readonly state: 'good' | 'warning' | 'fault' | 'unknown'
  readonly says: string
  /** What to do about it. */
  readonly remedy?: string
}

export const good = (about: string, says: string): Finding => ({ about, state: 'good', says })
export const warning = (about: string, says: string, remedy: string): Finding => ({
  about,
  state: 'warning',
  says,
  remedy,
})
export const fault = (about: string, says: string, remedy: string): Finding => ({
  about,
  state: 'fault',
  says,
  remedy,
})
export const unknown = (about: string, says: string, remedy?: string): Finding => ({
  about,
  state: 'unknown',
  says,
  ...(remedy === undefined ? {} : { remedy }),
})

const marks = { good: 'ok', warning: 'warning', fault: 'FAULT', unknown: 'not known' } as const

/** As they are printed: what is to be done stands below what was found. */
export function findingLines(findings: readonly Finding[]): string[] {
  const width = Math.max(...findings.map(({ about }) => about.length))
  return findings.flatMap(({ about, state, says, remedy }) => [
    `${marks[state].padEnd(9)}  ${about.padEnd(width)}  ${says.replaceAll('\n', `\n${' '.repeat(13 + width)}`)}`,
    ...(remedy === undefined ? [] : [`${' '.repeat(13 + width)}→ ${remedy}`]),
  ])
}
