/**
 * What an app declares of realtime: tables whose changes are told, and who may do what in private channels.
 * @module
 */
import type { SQL } from 'drizzle-orm'
import type { QueryBuilder } from 'drizzle-orm/sqlite-core'
import type { PolicyCaller } from '../../db/catalog/policy.ts'

/** What a condition on a channel is made from. */
export interface ChannelContext {
  readonly caller: PolicyCaller
  /** The channel's name, without `realtime:`. */
  readonly topic: string
  /** What stands in the name for the parameters of its pattern: `{ id: '7' }` of `room:{id}`. */
  readonly params: Readonly<Record<string, string>>
  /** Begins a subquery, on local and reference tables: it is asked of `DB`. */
  readonly query: QueryBuilder
}

/**
 * A Drizzle condition over channel and caller, or plainly true or false. What is not true is denied, null as well.
 *
 * @example ({ caller, params }) => params.id === caller.sub
 * @example
 * ({ caller, params, query }) =>
 *   exists(query.select().from(members).where(and(eq(members.roomId, params.id), eq(members.userId, caller.sub))))
 */
export type ChannelCondition = (context: ChannelContext) => SQL | boolean | undefined

/** What one role may do in channels of a pattern; what is left out is denied. */
export interface ChannelGrants {
  /** Come in: hear what is sent, and see who is there. */
  readonly join?: true | ChannelCondition
  readonly send?: true | ChannelCondition
  /** Be seen by others. */
  readonly track?: true | ChannelCondition
}

/** Grants by role. */
export type ChannelAccess = Readonly<Record<string, ChannelGrants>>

export interface RealtimeDeclarations {
  /** Names in SQL of tables whose changes are told, or `all`. What is told to whom, their policies say. Default none. */
  readonly tables?: 'all' | readonly string[]
  /** Whether there are channels that everybody may join, send in and be seen in. Default true. */
  readonly publicChannels?: boolean
  /** Private channels by patterns of their names; the first that fits counts. A name that none fits, nobody may join. */
  readonly channels?: Readonly<Record<string, ChannelAccess>>
}

/**
 * Declares `functions/app/realtime.ts`. The secret key may do everything.
 *
 * @example
 * export default defineRealtime({
 *   tables: ['invoices'],
 *   channels: {
 *     'customer:{id}': { authenticated: { join: ({ caller, params }) => params.id === caller.sub, send: true } },
 *   },
 * })
 */
export function defineRealtime<const D extends RealtimeDeclarations>(declarations: D): D {
  return declarations
}
