/**
 * Where links and providers may send people back to.
 * @module
 */
import type { AuthVisit } from './visit.ts'

/**
 * Where somebody ends up: where they want to, if that is allowed, or else at the first address that is. An address is read as browsers read it before
 * it is compared, so that what it seems to say and where it leads are the same.
 */
export function redirectOf(
  visit: Pick<AuthVisit, 'terms' | 'url' | 'services'>,
  wanted: string | null | undefined,
): string {
  const { terms, services } = visit
  const site = siteOf(visit)
  if (wanted === null || wanted === undefined || wanted === '') return site
  const address = addressOf(wanted)
  if (address === null) return site
  const isAllowed = terms.redirects.some((pattern) => isLike(address, pattern))
  if (isAllowed) return address.href
  if (sameOrigin(address, site)) return address.href
  // On the developer's machine, any port of it is theirs.
  if (services.catchesMail && isLoopback(address)) return address.href
  return site
}

/** The first address that links may lead to, without its pattern; the Worker's own where there is none. */
function siteOf({ terms, url }: Pick<AuthVisit, 'terms' | 'url'>): string {
  const plain = terms.redirects
    // What stands before a star in a host is another host.
    .filter((pattern) => !/^[^:]*\*|^[^:]*:\/\/[^/?#]*\*/.test(pattern))
    .map((pattern) => pattern.replace(/\*+.*$/, ''))
    .find((one) => addressOf(one) !== null)
  return plain ?? `${url.origin}/`
}

/** Schemes that run or show what stands in them. */
const refusedSchemes: ReadonlySet<string> = new Set([
  'javascript:',
  'data:',
  'vbscript:',
  'file:',
  'blob:',
  'about:',
])

function addressOf(text: string): URL | null {
  // Browsers leave out some characters and turn others round; whoever sends them is up to something.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it is about
  if (text.length > 2000 || /[\u0000-\u0020\u007f\\]/.test(text)) return null
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return null
  }
  if (refusedSchemes.has(url.protocol) || url.username !== '' || url.password !== '') return null
  return url
}

function sameOrigin(address: URL, site: string): boolean {
  const own = new URL(site)
  return isWeb(own) && own.protocol === address.protocol && own.host === address.host
}

const isWeb = ({ protocol }: URL) => protocol === 'https:' || protocol === 'http:'

function isLoopback(address: URL): boolean {
  return isWeb(address) && ['localhost', '127.0.0.1', '[::1]'].includes(address.hostname)
}

/**
 * Whether an address is like a pattern. Of web addresses scheme, host and path are compared by themselves, so that no star of a host reaches into a
 * path or the other way round; `*` stands for characters but `.` and `/`, `**` for any.
 */
export function isLike(address: URL, pattern: string): boolean {
  const [, scheme = '', host = '', path = ''] = /^(https?):\/\/([^/?#]*)(.*)$/i.exec(pattern) ?? []
  if (scheme === '') return !isWeb(address) && glob(pattern).test(address.href)
  if (address.protocol !== `${scheme.toLowerCase()}:`) return false
  // A double star in a host is one star for each label.
  if (!glob(host.toLowerCase().replaceAll('**', '*')).test(address.host)) return false
  const rest = `${address.pathname}${address.search}`
  return path === '' || path === '/'
    ? address.pathname === '/'
    : glob(path).test(rest) || glob(path).test(address.pathname)
}

function glob(pattern: string): RegExp {
  const text = pattern
    .split(/(\*\*|\*)/)
    .map((piece) => {
      if (piece === '**') return '.*'
      return piece === '*' ? '[^./]*' : piece.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    })
    .join('')
  return new RegExp(`^${text}$`)
}
