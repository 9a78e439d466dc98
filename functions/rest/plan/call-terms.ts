/**
 * How a call of a function is to be answered: what its headers say, read before it runs, so that what cannot be is refused before
 * anything has happened.
 * @module
 */

import { chooseMedia } from '../ask/media.ts'
import type { Preferences } from '../ask/parse-preferences.ts'
import { chooseListMedia, chooseValueMedia, type ValueMedia } from '../ask/value-media.ts'
import type { RestConfig } from '../config.ts'
import type { AnyFunction } from '../define-function.ts'
import { errors } from '../errors.ts'
import { zoneOf } from './zones.ts'

export interface CallTerms {
  readonly preferences: Preferences
  /** What a value is answered as; null for rows and for nothing. */
  readonly media: ValueMedia | null
  /** Whether exactly one row is asked for. */
  readonly singular: boolean
  /** Whether what it wrote may have to be undone. */
  readonly mayUndo: boolean
}

/**
 * @throws AtollError `PGRST107` for media types that the function does not have, `PGRST128` for max-affected where there are no rows,
 *   `SHARD017` where something may have to be undone that cannot be
 */
export function readTerms(
  name: string,
  definition: AnyFunction,
  raw: Request,
  preferred: Preferences,
  config: RestConfig,
): CallTerms {
  const preferences = config.txRollback ? preferred : { ...preferred, tx: null }
  if (preferences.timezone !== null) zoneOf(preferences.timezone)
  const { kind } = definition.returns
  const isSet = kind === 'rows' || kind === 'records'
  if (preferences.maxAffected !== null && !isSet) throw errors.maxAffectedOfOne()
  const accept = raw.headers.get('accept') ?? ''
  const media = mediaOf(definition, accept)
  const singular = (isSet || kind === 'row' || kind === 'record') && chooseMedia(accept).kind === 'object'
  const isAsked =
    preferences.tx === 'rollback' ||
    preferences.maxAffected !== null ||
    singular ||
    // Whether it fits is seen when it is there.
    (media !== null && media.kind !== 'json')
  const mayUndo = isAsked && raw.method === 'POST' && !definition.stable
  if (mayUndo && definition.undoable === false) throw errors.notUndoable(name)
  return { preferences, media, singular, mayUndo }
}

function mediaOf({ returns }: AnyFunction, accept: string): ValueMedia | null {
  if (returns.kind === 'scalar') return chooseValueMedia(accept, returns.media)
  return returns.kind === 'scalars' ? chooseListMedia(accept) : null
}
