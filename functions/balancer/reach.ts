import { connect } from 'cloudflare:sockets'
import { within } from '../core/coalescer.ts'

/** Origins that the platform does not let us try in this way: Cloudflare's own addresses. */
const untried = new Set<string>()

/**
 * Whether a connection to an origin can be made, by making one. `fetch` does not tell a connection that failed from one that broke
 * when the request was on its way; this tells it before anything is sent, and bounds how long connecting may take.
 */
export async function isReachable(url: URL, withinMs: number): Promise<boolean> {
  if (untried.has(url.host)) return true
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
  const socket = connect({ hostname: url.hostname.replace(/^\[|\]$/g, ''), port })
  // It rejects as well when the connection fails, which `opened` has told already.
  socket.closed.catch(() => undefined)
  try {
    const opened = await within(
      withinMs,
      socket.opened.then(() => true),
    )
    return opened ?? false
  } catch (error) {
    if (!/consider using fetch/i.test(String(error))) return false
    untried.add(url.host)
    return true
  } finally {
    socket.close().catch(() => undefined)
  }
}
