/**
 * The `Prefer` header (RFC 7240), as PostgREST reads it.
 * Source: https://docs.postgrest.org/en/latest/references/api/preferences.html
 * @module
 */
import { errors } from '../errors.ts'

export interface Preferences {
  readonly return: 'minimal' | 'headers-only' | 'representation' | null
  readonly count: 'exact' | 'planned' | 'estimated' | null
  readonly resolution: 'merge-duplicates' | 'ignore-duplicates' | null
  readonly missing: 'default' | 'null' | null
  readonly handling: 'strict' | 'lenient' | null
  readonly tx: 'commit' | 'rollback' | null
  readonly maxAffected: number | null
  /** The zone in which times are read and shown; null: UTC. */
  readonly timezone: string | null
  /** Whether each shard may commit its part of a write by itself. */
  readonly atomicity: 'shard' | null
  /** Whether a read may leave out shards that do not answer. */
  readonly partial: 'allow' | null
}

const known: Readonly<Record<string, readonly string[]>> = {
  return: ['minimal', 'headers-only', 'representation'],
  count: ['exact', 'planned', 'estimated', 'none'],
  resolution: ['merge-duplicates', 'ignore-duplicates'],
  missing: ['default', 'null'],
  handling: ['strict', 'lenient'],
  tx: ['commit', 'rollback'],
  atomicity: ['shard'],
  partial: ['allow'],
}

/** Reads every `Prefer` header of a request, joined with commas; the first word for a preference counts. */
export function parsePreferences(header: string): Preferences {
  const found: Record<string, string> = {}
  const invalid: string[] = []
  for (const part of header.split(',')) {
    const text = part.trim()
    if (text === '') continue
    const [name = '', value = ''] = text.split('=', 2)
    const valid = (Object.hasOwn(known, name) && known[name]?.includes(value)) || isOpen(name, value)
    if (!valid) invalid.push(text)
    else found[name] ??= value
  }
  if (found.handling === 'strict' && invalid.length > 0) throw errors.invalidPreferences(invalid)
  const maxAffected = found['max-affected']
  return {
    return: (found.return as Preferences['return']) ?? null,
    count: found.count === 'none' ? null : ((found.count as Preferences['count']) ?? null),
    resolution: (found.resolution as Preferences['resolution']) ?? null,
    missing: (found.missing as Preferences['missing']) ?? null,
    handling: (found.handling as Preferences['handling']) ?? null,
    tx: (found.tx as Preferences['tx']) ?? null,
    atomicity: (found.atomicity as Preferences['atomicity']) ?? null,
    partial: (found.partial as Preferences['partial']) ?? null,
    timezone: found.timezone ?? null,
    maxAffected: maxAffected === undefined || found.handling !== 'strict' ? null : Number(maxAffected),
  }
}

/** Preferences whose value is not one of a few words. */
function isOpen(name: string, value: string): boolean {
  return (name === 'max-affected' && /^\d{1,15}$/.test(value)) || (name === 'timezone' && value !== '')
}
