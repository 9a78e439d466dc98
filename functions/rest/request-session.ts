import { type ClusterSession, laterOf } from '../../db/cluster/session.ts'
import { identityOf } from '../access/caller.ts'
import type { Visit } from '../context.ts'
import { sessionHeader } from './session-token.ts'

/** The session that the request's token goes on with, or that begins: what it has seen, it will see. */
export async function openSession(
  { raw, caller, services, later }: Visit,
  reads: boolean,
): Promise<ClusterSession> {
  const { cluster, sessions, lastWrites } = services
  const token = raw.headers.get(sessionHeader)
  const who = identityOf(caller)
  const seen = token === null ? new Map() : await sessions.read(token)
  return cluster.open({ reads, later, seen: who === null ? seen : laterOf(seen, lastWrites.of(who)) })
}

/** Tells what the session has seen by now: to those who have a session, and to those who wrote. */
export async function writeSession(
  { raw, caller, services: { sessions, lastWrites } }: Visit,
  response: Response,
  session: ClusterSession,
): Promise<void> {
  const who = identityOf(caller)
  if (!session.reads && who !== null) lastWrites.note(who, session.bookmarks)
  if (session.reads && !raw.headers.has(sessionHeader)) return
  response.headers.set(sessionHeader, await sessions.write(session.bookmarks))
}
