/**
 * Who is there in a room, in Phoenix's form: by key, each with one entry (`metas`) for every channel that shows itself under it.
 * https://hexdocs.pm/phoenix/Phoenix.Presence.html
 * @module
 */
import type { Channel, PresenceMeta } from './channel.ts'
import type { Member } from './sockets.ts'

/** `{ ada: { metas: [{ phx_ref, … }] } }` */
export type PresenceState = Readonly<Record<string, { readonly metas: readonly PresenceMeta[] }>>

export interface PresenceDiff {
  readonly joins: PresenceState
  readonly leaves: PresenceState
}

export function stateOf(members: Iterable<Member>): PresenceState {
  const byKey = new Map<string, PresenceMeta[]>()
  for (const { channel } of members) {
    if (channel.meta === null) continue
    const metas = byKey.get(channel.presenceKey) ?? []
    metas.push(channel.meta)
    byKey.set(channel.presenceKey, metas)
  }
  // A key may be `__proto__`.
  return Object.fromEntries([...byKey].map(([key, metas]) => [key, { metas }]))
}

/** Shows a channel, or what it shows anew. @returns what others are told */
export function track(channel: Channel, payload: Readonly<Record<string, unknown>>): PresenceDiff {
  const before = channel.meta
  const phx_ref = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(9))))
  channel.meta = { ...payload, phx_ref, ...(before ? { phx_ref_prev: before.phx_ref } : {}) }
  return { joins: one(channel.presenceKey, channel.meta), leaves: one(channel.presenceKey, before) }
}

/** @returns what others are told; null when it was not to be seen */
export function untrack(channel: Channel): PresenceDiff | null {
  const before = channel.meta
  if (before === null) return null
  channel.meta = null
  return { joins: {}, leaves: one(channel.presenceKey, before) }
}

function one(key: string, meta: PresenceMeta | null): PresenceState {
  return meta === null ? {} : Object.fromEntries([[key, { metas: [meta] }]])
}
