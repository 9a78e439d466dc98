/**
 * What an app's declarations grant in private channels.
 * @module
 */
import type { Catalog } from '../../db/catalog/catalog.ts'
import { whyNotBeside } from '../../db/catalog/check-placement.ts'
import { createConditionCompiler, queryBuilder } from '../../db/catalog/compile-condition.ts'
import { parameterMark } from '../../db/catalog/grants.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { policyCallerOf } from '../access/area.ts'
import type { Caller } from '../core/caller.ts'
import type { ChannelAccess, ChannelCondition, ChannelGrants } from './define-realtime.ts'

export type ChannelOperation = keyof ChannelGrants

/** What a caller may do in one channel. */
export type ChannelRights = Readonly<Record<ChannelOperation, boolean>>

export const allRights: ChannelRights = { join: true, send: true, track: true }
const noRights: ChannelRights = { join: false, send: false, track: false }

/** Asks what a caller may do in the private channel of a name. */
export type AskChannel = (topic: string, caller: Caller, session: ClusterSession) => Promise<ChannelRights>

interface Pattern {
  readonly text: RegExp
  readonly names: readonly string[]
  readonly access: ChannelAccess
}

/** @throws Error for a pattern that is none */
export function createChannelPolicy(
  channels: Readonly<Record<string, ChannelAccess>>,
  catalog: Catalog,
): AskChannel {
  const patterns = Object.entries(channels).map(([pattern, access]) => readPattern(pattern, access))
  const compile = createConditionCompiler({
    name: 'channels',
    rowName: '_atoll_channel',
    refusal: (table) => whyNotBeside({ kind: 'local' }, catalog.tables.get(table)?.placement),
  })
  return async (topic, caller, session) => {
    if (caller.role === 'service_role') return allRights
    for (const { text, names, access } of patterns) {
      const found = text.exec(topic)
      if (found === null) continue
      const grants = Object.hasOwn(access, caller.role) ? access[caller.role] : undefined
      if (grants === undefined) return noRights
      const params = Object.fromEntries(names.map((name, i) => [name, found[i + 1] as string]))
      const ask = async (grant: true | ChannelCondition | undefined) => {
        if (grant === undefined || grant === true) return grant === true
        const answer = grant({ caller: policyCallerOf(caller), topic, params, query: queryBuilder })
        if (answer === undefined || typeof answer === 'boolean') return answer === true
        const { text, parameters } = compile(answer)
        // Parameters come in the order of their marks.
        const [rows = []] = await session.primary([
          { text: `SELECT (${text.replace(marks, '?')}) IS TRUE AS allowed`, parameters },
        ])
        return rows[0]?.allowed === 1
      }
      const [join, send, track] = await Promise.all([ask(grants.join), ask(grants.send), ask(grants.track)])
      return { join, send, track }
    }
    return noRights
  }
}

const marks = new RegExp(`${parameterMark}\\d*${parameterMark}`, 'g')

/** `room:{id}`: what stands for a parameter holds no colon. */
function readPattern(pattern: string, access: ChannelAccess): Pattern {
  const names = [...pattern.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string)
  const text = pattern
    .split(/\{\w+\}/)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('([^:]+)')
  if (pattern === '' || new Set(names).size < names.length) {
    throw new Error(`functions/app/realtime.ts: ${pattern || 'an empty text'} is no pattern of channels`)
  }
  return { text: new RegExp(`^${text}$`, 'u'), names, access }
}
