/** Longest list of names that is told; clients bound all headers together. */
const maxLength = 1000

/**
 * PostgREST 16's `Warning` for embedded resources that have an alias and were called by their target's name.
 *
 * @param names each target with its alias
 * @returns null when there is nothing to warn of
 */
export function legacyWarning(names: readonly (readonly [target: string, alias: string])[]): string | null {
  if (names.length === 0) return null
  const list = names.map(([target, alias]) => `\`${shown(target)}\` to \`${shown(alias)}\``).join(', ')
  const which = list.length > maxLength ? 'the names' : list
  return (
    '299 Atoll "Embedded resource was referenced by relation name even though it has an alias. This is deprecated and will stop ' +
    `working in a future release. Update ${which} in query string filters, orders or limits."`
  )
}

/** A name as a header's quoted text may hold it. */
function shown(name: string): string {
  return name
    .replace(/[^\x20-\x7e]+/g, (text) => encodeURIComponent(text.toWellFormed()))
    .replace(/["\\]/g, '\\$&')
}
