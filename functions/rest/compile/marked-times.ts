/**
 * Times that are shown in a zone: SQLite knows none, so a statement writes them as numbers behind a mark, and what is made of its rows has them in
 * their place.
 * @module
 */
import { dateInZone, textInZone, type Zone } from '../plan/zones.ts'

let made: string | null = null

/** No value holds it by chance, nor by anybody's will: it is random, and never shown. */
function mark(): string {
  made ??= `~${crypto.randomUUID().replaceAll('-', '')}`
  return made
}

/** SQL of a time behind its mark. @param kind in whole seconds, in milliseconds, or a date @param seconds SQL of seconds since 1970 */
export function markedTime(kind: 's' | 'm' | 'd', seconds: string): string {
  return `('${mark()}${kind}'||CAST(${seconds} AS TEXT)||';')`
}

export function withTimes(text: string, zone: Zone): string {
  const pattern = new RegExp(`${mark()}([smd])(-?[\\d.e+-]+);`, 'g')
  return text.replace(pattern, (_, kind: string, number: string) => {
    const seconds = Number(number)
    return kind === 'd' ? dateInZone(seconds, zone) : textInZone(seconds, kind === 'm' ? 3 : 0, zone)
  })
}
