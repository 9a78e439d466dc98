import type { ClusterSession } from '../../db/cluster/session.ts'
import type { Seen } from '../../db/restores/positions.ts'

/** What a relay keeps when it sleeps, in the storage of its Durable Object. */
export interface RelayMemory {
  get<Value>(key: string): Promise<Value | undefined>
  put(key: string, value: unknown): Promise<void>
  delete(key: string): Promise<unknown>
}

/** One time that a relay's alarm rings. */
export interface Round<Services, Engine> {
  readonly services: Services
  readonly engine: Engine
  readonly session: ClusterSession
  /** The relay's database. */
  readonly database: string
  /** Whether that is the one with reference and local tables. */
  readonly isPrimary: boolean
  /** Whether all is looked after, as it is every minute and when it is asked for; else what cannot wait for that. */
  readonly repairs: boolean
  /** Its database, once it was compared with what was seen of it before. */
  seen: Seen | null
  readonly memory: RelayMemory
}

/** When it wants to be called again, in milliseconds since 1970, or at once and with all others; null: in due time. */
export type Wanted = number | 'repair' | null

/** Something that relays look after. One that fails leaves the others alone, and is tried again. */
export interface Duty<Services, Engine> {
  /** What it looks after, for the event of one that has failed. */
  readonly name: string
  /** `first` before all others, `always` in each round, `repair` in those that look after all. */
  readonly when: 'first' | 'always' | 'repair'
  /** Whether it is the primary database's relay alone that has it. Default false. */
  readonly onPrimary?: boolean
  // biome-ignore lint/suspicious/noConfusingVoidType: what a duty has no wish to say
  run(round: Round<Services, Engine>): Promise<Wanted | void>
}

/** Looks at something that has names, and remembers which of them it was told of. */
export async function remember(
  memory: RelayMemory,
  key: string,
  look: (before: readonly string[]) => Promise<readonly string[]>,
): Promise<void> {
  const before = (await memory.get<readonly string[]>(key)) ?? []
  const after = await look(before)
  if (String(after) !== String(before)) await memory.put(key, after)
}
