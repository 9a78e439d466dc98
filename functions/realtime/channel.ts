/**
 * A channel that a socket has joined: what its join asked for, and what its caller may do in it. JSON, so that it outlives the object's
 * memory.
 * @module
 */
import type { Caller } from '../core/caller.ts'
import type { ChannelRights } from './channel-policy.ts'

export interface Channel {
  /** As frames have it: `realtime:room`. */
  readonly topic: string
  readonly joinRef: string | null
  readonly isPrivate: boolean
  /** Whether it hears its own messages, and is told that they came. */
  readonly self: boolean
  readonly ack: boolean
  readonly presenceKey: string
  /** Whether it sees who is there. */
  seesPresence: boolean
  /** What it shows of itself; null: nothing. */
  meta: PresenceMeta | null
  /** Whose rights it has, and until when, in milliseconds since 1970. */
  caller: Caller
  expiresAt: number | null
  token: string | null
  rights: ChannelRights
  readonly subscriptions: readonly Subscription[]
  /** How far it has been told of each database's changes; null: it does not ask. */
  positions: Record<string, number> | null
}

export interface PresenceMeta {
  readonly phx_ref: string
  readonly [name: string]: unknown
}

export type ChangeEvent = 'INSERT' | 'UPDATE' | 'DELETE'

/** Changes that a channel wants to be told of. */
export interface Subscription {
  readonly id: number
  readonly event: ChangeEvent | '*'
  readonly schema: string
  /** Names in SQL, of tables of that schema. */
  readonly tables: readonly string[]
  /** As they came: numbers may be too large for JSON. */
  readonly filter: string | null
  /** Columns that it wants; null: all that it may see. */
  readonly select: readonly string[] | null
}

/** What all channels of one name share: those that are private are others than those that are not. */
export function roomOf({ topic, isPrivate }: Pick<Channel, 'topic' | 'isPrivate'>): string {
  return `${isPrivate ? 'private' : 'public'}\n${topic}`
}

/** The channel's name, without `realtime:`. */
export function nameOf({ topic }: Pick<Channel, 'topic'>): string {
  return topic.slice(topicPrefix.length)
}

export const topicPrefix = 'realtime:'
