/**
 * Whether a webhook's address is one of the public internet: a Worker must not be made to speak to what only it can reach.
 * @module
 */
import ipaddr from 'ipaddr.js'

/** Names that never belong to the public internet (RFC 6761, RFC 8375, RFC 6762 and ICANN's `internal`). */
const privateNames =
  /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|lan|home|corp|home\.arpa|test|invalid|onion)$/

/** Why an address may not be delivered to; null when it may. Names are not looked up here. */
export function whyNotPublic(url: URL): string | null {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return `the protocol ${url.protocol} is not HTTP`
  if (url.username !== '' || url.password !== '') return 'it holds a user name or password'
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  if (ipaddr.isValid(host)) return isPublicAddress(host) ? null : `${host} is not a public address`
  if (privateNames.test(host) || !host.includes('.')) return `${host} is not a public name`
  return null
}

/** Whether an IPv4 or IPv6 address is of the public internet. */
export function isPublicAddress(address: string): boolean {
  const parsed = ipaddr.process(address)
  // `::/96` holds IPv4 addresses of old (RFC 4291, 2.5.5.1).
  const isOldForm =
    parsed.kind() === 'ipv6' && (parsed as ipaddr.IPv6).parts.slice(0, 6).every((part) => part === 0)
  return parsed.range() === 'unicast' && !isOldForm
}

/** What DNS over HTTPS answers in JSON: https://developers.cloudflare.com/1.1.1.1/encryption/dns-over-https/make-api-requests/dns-json/ */
interface DnsAnswer {
  readonly Answer?: readonly { readonly type: number; readonly data: string }[]
}

/** Types of records: A and AAAA. */
const addressTypes = [1, 28]

/** The addresses of a name, asked of a resolver over HTTPS. */
export async function lookUp(name: string, resolver: string, signal: AbortSignal): Promise<string[]> {
  const answers = await Promise.all(
    addressTypes.map(async (type) => {
      const url = `${resolver}?name=${encodeURIComponent(name)}&type=${type}`
      const response = await fetch(url, { headers: { Accept: 'application/dns-json' }, signal })
      if (!response.ok) throw new Error(`the resolver answered ${response.status}`)
      return ((await response.json()) as DnsAnswer).Answer ?? []
    }),
  )
  return answers.flat().flatMap(({ type, data }) => (addressTypes.includes(type) ? [data] : []))
}
