/**
 * The paths of realtime: sockets are the hub's, messages over HTTP are sent through it.
 * https://supabase.com/docs/guides/realtime/broadcast
 * @module
 */
import { Hono } from 'hono'
import { callerKey } from '../access/area.ts'
import type { Caller } from '../core/caller.ts'
import type { HubMessage } from '../core/context.ts'
import { readJsonOf } from '../core/read-body.ts'
import { readBytesOf } from '../core/read-text.ts'
import { errors } from './errors.ts'
import type { Version } from './frames.ts'
import { type Opened, openedHeader } from './open-socket.ts'
import type { AtollEnv, Engine, Services } from './services.ts'

/** Messages in one request. */
const maxMessages = 1000

export function createRealtimeApi({ config, realtime }: Engine): Hono<AtollEnv> {
  async function requireSend(topic: string, isPrivate: boolean, caller: Caller, services: Services) {
    if (!isPrivate) return realtime.publicChannels
    const session = services.cluster.open({ reads: true, seen: new Map() })
    return (await realtime.ask(topic, caller, session)).send
  }

  return new Hono<AtollEnv>({ strict: false })
    .get('/websocket', async (c) => {
      const { hub } = c.get('services')
      if (hub === null) throw errors.noRealtime()
      if (c.req.header('upgrade')?.toLowerCase() !== 'websocket') throw errors.notUpgraded()
      const version = c.req.query('vsn') ?? '1.0.0'
      if (version !== '1.0.0' && version !== '2.0.0') throw errors.unknownVersion()
      const caller = c.get('caller')
      const opened: Opened = {
        version: version as Version,
        caller,
        apikey: c.req.query('apikey') ?? c.req.header('apikey') ?? null,
        countedAs: callerKey(caller, c.req.header('cf-connecting-ip') ?? null),
      }
      const headers = { Upgrade: 'websocket', [openedHeader]: JSON.stringify(opened) }
      const response = await hub.open(new Request(c.req.raw.url, { headers }))
      if (response.status === 429) throw errors.tooManySockets()
      return response
    })
    .post('/api/broadcast', async (c) => {
      const services = c.get('services')
      if (services.hub === null) throw errors.noRealtime()
      const limit = config.realtimeMaxMessageBytes * 10
      const messages = readMessages(
        await readJsonOf(c.req.raw, limit, services.pending),
        config.realtimeMaxMessageBytes,
      )
      const caller = c.get('caller')
      const allowed: HubMessage[] = []
      for (const message of messages) {
        if (await requireSend(message.topic, message.isPrivate, caller, services)) allowed.push(message)
      }
      if (allowed.length > 0) await services.hub.broadcast(allowed)
      return c.body(null, 202)
    })
    .post('/api/broadcast/:topic/events/:event', async (c) => {
      const services = c.get('services')
      if (services.hub === null) throw errors.noRealtime()
      const { topic, event } = c.req.param()
      const isPrivate = c.req.query('private') === 'true'
      if (!(await requireSend(topic, isPrivate, c.get('caller'), services))) throw errors.mayNotSend(topic)
      const isBytes = c.req.header('content-type')?.startsWith('application/octet-stream') === true
      const max = config.realtimeMaxMessageBytes
      const payload = isBytes
        ? await readBytesOf(c.req.raw, services.pending, max, () => errors.bodyTooLarge(max))
        : JSON.stringify(await readJsonOf(c.req.raw, max, services.pending))
      if (isBytes) services.pending.done(c.req.raw)
      await services.hub.broadcast([{ topic, isPrivate, event, payload }])
      return c.body(null, 202)
    })
    .all('*', () => {
      throw errors.invalidPath()
    })
}

/** @throws 422 for what are none */
function readMessages(body: unknown, maxBytes: number): readonly HubMessage[] {
  const { messages } = (body ?? {}) as { readonly messages?: unknown }
  if (!Array.isArray(messages)) throw errors.badMessages('messages is a list')
  if (messages.length > maxMessages) throw errors.badMessages(`At most ${maxMessages} messages`)
  return messages.map((message: unknown) => {
    const { topic, event, payload, private: isPrivate = false } = (message ?? {}) as Record<string, unknown>
    if (typeof topic !== 'string' || topic === '' || typeof event !== 'string' || payload === undefined) {
      throw errors.badMessages('A message has a topic, an event and a payload')
    }
    const text = JSON.stringify(payload)
    if (text.length > maxBytes) throw errors.badMessages(`Payload size exceeds ${maxBytes} bytes`)
    return { topic, isPrivate: isPrivate === true, event, payload: text }
  })
}
