import type { Account } from '../../db/cluster/account.ts'
import { type ClusterSession, laterOf } from '../../db/cluster/session.ts'
import { identityOf } from '../core/caller.ts'
import type { InnerSession } from '../core/inner-session.ts'
import type { Visit } from './services.ts'
import { sessionHeader } from './session-token.ts'

/** On whose account a request is. */
export function accountOf({ raw, caller, services, inner }: Visit): Account | null {
  return inner ? inner.account : services.openAccount(caller, raw.headers.get('cf-connecting-ip'))
}

/** The session that the request's token goes on with, or that begins: what it has seen, it will see. */
export async function openSession(visit: Visit, reads: boolean): Promise<ClusterSession> {
  const { raw, caller, services, later, inner } = visit
  const { cluster, sessions, lastWrites } = services
  const token = raw.headers.get(sessionHeader)
  const who = identityOf(caller)
  const sent = token === null ? new Map() : await sessions.read(token)
  const seen = inner === undefined ? sent : laterOf(sent, inner.seen)
  return cluster.open({
    reads,
    later,
    account: accountOf(visit),
    primary: inner?.primary ?? false,
    seen: who === null ? seen : laterOf(seen, lastWrites.of(who)),
  })
}

/** Writes to the headers of an answer. */
type WriteHeaders = (write: (headers: Headers) => void) => void

/** Tells what the session has seen by now: to those who have a session, and to those who wrote. */
export async function writeSession(
  { raw, caller, services: { sessions, lastWrites }, inner }: Visit,
  write: WriteHeaders,
  { reads, bookmarks }: Pick<ClusterSession, 'reads' | 'bookmarks'>,
): Promise<void> {
  const who = identityOf(caller)
  if (!reads && who !== null) lastWrites.note(who, bookmarks)
  if (inner !== undefined) inner.note(bookmarks, !reads)
  else if (!reads || raw.headers.has(sessionHeader)) {
    const token = await sessions.write(bookmarks)
    write((headers) => headers.set(sessionHeader, token))
  }
}

/** The same for the answer of a function or route, by what it has seen and written through `api`. */
export async function writeInnerSession(
  visit: Visit,
  write: WriteHeaders,
  { seen, wrote }: InnerSession,
): Promise<void> {
  await writeSession(visit, write, { reads: !wrote, bookmarks: seen })
}
