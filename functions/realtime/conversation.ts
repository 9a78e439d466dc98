/**
 * What clients ask of a socket, and what they are answered: as Supabase's server does, with its words.
 * https://github.com/supabase/realtime
 * @module
 */
import { AtollError } from '../../db/errors/atoll-error.ts'
import type { Caller } from '../core/caller.ts'
import { type Channel, nameOf, roomOf, topicPrefix } from './channel.ts'
import { allRights, type ChannelRights } from './channel-policy.ts'
import { type Frame, messageOf, type Received } from './frames.ts'
import type { Post } from './post.ts'
import { stateOf, track, untrack } from './presence.ts'
import { readSubscriptions } from './read-subscriptions.ts'
import type { Engine, Services } from './services.ts'
import type { Socket, Sockets } from './sockets.ts'

/** What a conversation goes on with. */
export interface Desk {
  readonly sockets: Sockets
  readonly post: Post
  readonly engine: Engine
  readonly services: Services
  /** Tells a channel that asks for positions of what it has missed; it is told of nothing else until then. */
  readonly follow: (socket: Socket, channel: Channel, since: string | null) => Promise<void>
}

/** What a join is refused with. */
class Refused extends Error {}

/** Sees to what a client sends. What it sends next waits for it. */
export async function take(desk: Desk, socket: Socket, frame: Received): Promise<void> {
  const channel = socket.channels.get(frame.topic)
  if (frame.event === 'phx_join') return join(desk, socket, frame)
  if (!channel) {
    desk.post.reply(socket, frame, { reason: 'unmatched topic' }, 'error')
    return
  }
  switch (frame.event) {
    case 'phx_leave':
      desk.post.reply(socket, frame, {})
      leave(desk, socket, channel)
      return
    case 'access_token':
      return refresh(desk, socket, channel, frame.payload)
    case 'broadcast':
      broadcast(desk, socket, channel, frame)
      return
    case 'presence':
      presence(desk, socket, channel, frame)
  }
}

// --- coming and going ------------------------------------------------------------------------------------------------

async function join(desk: Desk, socket: Socket, frame: Frame): Promise<void> {
  const { post, sockets } = desk
  const before = socket.channels.get(frame.topic)
  // As Phoenix does: who joins again leaves first.
  if (before) leave(desk, socket, before)
  try {
    const { channel, answered, problem, since, waits } = await admit(desk, socket, frame)
    if (problem !== null && waits) throw new Refused(`RealtimeDisabledForConfiguration: ${problem}`)
    sockets.join(socket, channel)
    const caughtUp = since === undefined || problem !== null ? null : desk.follow(socket, channel, since)
    post.reply(socket, frame, { postgres_changes: answered })
    if (problem !== null) {
      post.system(socket, channel, { extension: 'postgres_changes', status: 'error', message: problem })
    } else if (channel.subscriptions.length > 0) {
      await caughtUp
      const message = 'Subscribed to PostgreSQL'
      post.system(socket, channel, { extension: 'postgres_changes', status: 'ok', message })
    }
    if (channel.seesPresence && channel.rights.join) tellPresence(desk, socket, channel)
  } catch (error) {
    if (error instanceof Refused) post.reply(socket, frame, { reason: error.message }, 'error')
    else throw error
  }
}

async function admit(desk: Desk, socket: Socket, { topic, joinRef, payload }: Frame) {
  const { engine, sockets } = desk
  const { config, realtime } = engine
  if (!topic.startsWith(topicPrefix)) throw new Refused('unmatched topic')
  if (topic === topicPrefix) throw new Refused('TopicNameRequired: You must provide a topic name')
  if (socket.joins.add() > config.realtimeJoinsPerSecond) {
    throw new Refused('ClientJoinRateLimitReached: Too many joins per second')
  }
  if (socket.channels.size >= config.realtimeChannelsPerSocket) {
    throw new Refused('ChannelRateLimitReached: Too many channels')
  }
  if (sockets.size > config.realtimeSockets) {
    throw new Refused('ConnectionRateLimitReached: Too many connected users')
  }
  const sent = objectOf(payload)
  const asked = objectOf(sent.config)
  const [told, presence] = [objectOf(asked.broadcast), objectOf(asked.presence)]
  const isPrivate = asked.private === true
  if (!isPrivate && !realtime.publicChannels) {
    throw new Refused('PrivateOnly: This project only allows private channels')
  }
  const token = typeof sent.access_token === 'string' ? sent.access_token : null
  const caller = await callerOf(desk, socket, token).catch((error) => {
    throw new Refused(refusalOf(error))
  })
  const name = topic.slice(topicPrefix.length)
  const rights = isPrivate ? await rightsIn(desk, name, caller) : allRights
  if (!rights.join) {
    throw new Refused(`Unauthorized: You do not have permissions to read from this Channel topic: ${name}`)
  }
  const { answered, subscriptions, problem, since } = readSubscriptions(
    asked.postgres_changes,
    caller,
    engine,
  )
  const key = presence.key
  const channel: Channel = {
    topic,
    joinRef,
    isPrivate,
    self: told.self === true,
    ack: told.ack === true,
    presenceKey: typeof key === 'string' && key !== '' ? key : crypto.randomUUID(),
    // Who says nothing of it, as older clients, sees it.
    seesPresence: presence.enabled !== false,
    meta: null,
    caller,
    expiresAt: expiryOf(caller),
    token,
    rights,
    subscriptions,
    positions: since === undefined ? null : {},
  }
  const waits = objectOf(asked.postgres_changes_options).wait === true
  return { channel, answered, problem, since, waits }
}

/** Takes a channel out, and leave of who was seen in it. */
export function leave(
  { sockets, post }: Pick<Desk, 'sockets' | 'post'>,
  socket: Socket,
  channel: Channel,
  event: 'phx_close' | 'phx_error' = 'phx_close',
): void {
  sockets.leave(socket, channel)
  post.closed(socket, channel, event)
  const diff = untrack(channel)
  if (diff) post.presence(channel, diff)
}

/** Says why, and takes a channel out. */
export function shut(
  desk: Pick<Desk, 'sockets' | 'post'>,
  socket: Socket,
  channel: Channel,
  message: string,
): void {
  desk.post.system(socket, channel, { status: 'error', message })
  leave(desk, socket, channel)
}

// --- who it is -------------------------------------------------------------------------------------------------------

async function refresh(desk: Desk, socket: Socket, channel: Channel, payload: unknown): Promise<void> {
  const { access_token: token } = objectOf(payload)
  if (typeof token !== 'string' || token.startsWith('sb_') || token === channel.token) return
  try {
    const caller = await callerOf(desk, socket, token)
    const rights = channel.isPrivate ? await rightsIn(desk, nameOf(channel), caller) : allRights
    Object.assign(channel, { caller, rights, token, expiresAt: expiryOf(caller) })
  } catch (error) {
    if (!(error instanceof AtollError) || error.status >= 500) throw error
    shut(desk, socket, channel, refusalOf(error))
    return
  }
  if (channel.rights.join) desk.sockets.keep(socket, channel)
  else {
    const message = `You no longer have permission to read from this Channel topic: ${nameOf(channel)}`
    shut(desk, socket, channel, message)
  }
}

/** @throws 401 for a token that is none of this project's */
function callerOf({ services }: Desk, { caller, apikey }: Socket, token: string | null): Promise<Caller> {
  // supabase-js sends its key until somebody signs in.
  if (token === null || token.startsWith('sb_')) return Promise.resolve(caller)
  const headers = new Headers({ authorization: `Bearer ${token}` })
  if (apikey !== null) headers.set('apikey', apikey)
  return services.identify(headers)
}

function rightsIn({ engine, services }: Desk, name: string, caller: Caller): Promise<ChannelRights> {
  return engine.realtime.ask(name, caller, services.cluster.open({ reads: true, seen: new Map() }))
}

function expiryOf({ claims: { exp } }: Caller): number | null {
  return typeof exp === 'number' ? exp * 1000 : null
}

/** In the words of Supabase's server. @throws what is no fault of the token's */
function refusalOf(error: unknown): string {
  if (!(error instanceof AtollError) || error.status >= 500) throw error
  if (error.message === 'JWT expired') return 'InvalidJWTToken: Token has expired'
  if (/^Expected 3 parts|^Empty JWT/.test(error.message))
    return 'MalformedJWT: The token provided is not a valid JWT'
  if (error.body.code === 'PGRST301') return 'JwtSignatureError: Failed to validate JWT signature'
  return `InvalidJWTToken: ${error.message}`
}

// --- what is said ----------------------------------------------------------------------------------------------------

function broadcast({ post, engine }: Desk, socket: Socket, channel: Channel, frame: Received): void {
  const message = messageOf(frame)
  // Who may not send is not told so: as Supabase does it.
  if (message === null || !channel.rights.send) return
  if (message.payload.length > engine.config.realtimeMaxMessageBytes) {
    if (channel.ack) post.reply(socket, frame, { reason: 'payload_size_exceeded' }, 'error')
    return
  }
  post.broadcast(roomOf(channel), message, channel.self ? null : channel)
  if (channel.ack) post.reply(socket, frame, {})
}

function presence(desk: Desk, socket: Socket, channel: Channel, frame: Frame): void {
  const { post, sockets, engine } = desk
  const { event, payload = {} } = objectOf(frame.payload)
  const asked = String(event).toLowerCase()
  if (asked === 'untrack') {
    const diff = untrack(channel)
    sockets.keep(socket, channel)
    if (diff) post.presence(channel, diff)
    post.reply(socket, frame, {})
    return
  }
  if (asked !== 'track' || !channel.rights.track) {
    post.reply(socket, frame, {}, 'error')
    return
  }
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    post.reply(socket, frame, { reason: 'Presence track payload must be a map' }, 'error')
    return
  }
  if (JSON.stringify(payload).length > engine.config.realtimeMaxMessageBytes) {
    shut(desk, socket, channel, 'Track message size exceeded')
    return
  }
  const sawNothing = !channel.seesPresence
  channel.seesPresence = true
  const diff = track(channel, payload as Record<string, unknown>)
  sockets.keep(socket, channel)
  post.presence(channel, diff)
  post.reply(socket, frame, {})
  if (sawNothing) tellPresence(desk, socket, channel)
}

function tellPresence({ post, sockets }: Desk, socket: Socket, channel: Channel): void {
  const payload = stateOf(sockets.members(roomOf(channel)))
  post.frame(socket, {
    joinRef: channel.joinRef,
    ref: null,
    topic: channel.topic,
    event: 'presence_state',
    payload,
  })
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {}
}
