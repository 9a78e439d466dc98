/** A name in SQL text. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Text as a literal in SQL text. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
