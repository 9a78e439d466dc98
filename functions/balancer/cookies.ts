/**
 * Cookies of a request: RFC 6265, 4.2.1.
 * @module
 */
export function readCookies(header: string): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>()
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=')
    const name = pair.slice(0, at).trim()
    if (at > 0 && !cookies.has(name)) cookies.set(name, pair.slice(at + 1).trim())
  }
  return cookies
}

/** The header without some cookies, the others as they were. */
export function withoutCookies(header: string, names: readonly string[]): string {
  const pairs = header.split(';').map((pair) => pair.trim())
  return pairs.filter((pair) => pair !== '' && !names.includes(pair.split('=', 1)[0] ?? '')).join('; ')
}
