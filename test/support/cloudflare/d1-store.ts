/**
 * The databases behind the stand-in: D1 as Miniflare has it, which is workerd's SQLite.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { convertV4MiniflareOptions, Miniflare, type V4WorkerOptions } from 'miniflare'
import { doorOptions, openDatabase } from '../../../db/doors/database-door.ts'

export interface StoredDatabase {
  readonly uuid: string
  readonly name: string
  readonly createdAt: string
  readonly door: D1Database
  /** What Miniflare calls it. */
  readonly place: string
  /** As it was asked for, or where Cloudflare put it. */
  readonly location: string | null
  replication: 'auto' | 'disabled'
}

export interface D1Store {
  list(): readonly StoredDatabase[]
  /** By its id or its name. */
  find(idOrName: string): StoredDatabase | undefined
  create(name: string, location?: string): StoredDatabase
  remove(uuid: string): void
  /** Workers that run beside the databases, in the place of those of before. */
  runWorkers(workers: readonly V4WorkerOptions[]): Promise<void>
  readonly miniflare: Miniflare
  stop(): Promise<void>
}

/** Bindings for databases that are made later; one that nobody asks costs nothing. */
const spare = 16

export async function openStore(
  names: readonly string[],
  onLog: (message: string) => void = () => undefined,
): Promise<D1Store> {
  const bindings = Array.from({ length: names.length + spare }, (_, i) => `D${i}`)
  const door = doorOptions(Object.fromEntries(bindings.map((binding) => [binding, binding])))
  const optionsWith = (workers: readonly V4WorkerOptions[]) => ({
    ...convertV4MiniflareOptions({ workers: [door, ...workers] }),
    // It tells of every transaction that is made to fail.
    handleStructuredLogs: ({ message }: { message: string }) => onLog(message),
  })
  const miniflare = new Miniflare(optionsWith([]))
  await miniflare.ready
  const databases: StoredDatabase[] = []
  const create = (name: string, location?: string): StoredDatabase => {
    const binding = bindings.shift()
    if (binding === undefined)
      throw new Error(`the stand-in has no place for more than ${spare} further databases`)
    const database: StoredDatabase = {
      uuid: randomUUID(),
      name,
      createdAt: new Date().toISOString(),
      door: openDatabase(miniflare, binding),
      place: binding,
      location: location ?? null,
      replication: 'disabled',
    }
    databases.push(database)
    return database
  }
  for (const name of names) create(name)
  return {
    list: () => databases,
    find: (idOrName) => databases.find(({ uuid, name }) => uuid === idOrName || name === idOrName),
    create,
    remove: (uuid) => {
      databases.splice(
        databases.findIndex((database) => database.uuid === uuid),
        1,
      )
    },
    runWorkers: (workers) => miniflare.setOptions(optionsWith(workers)),
    miniflare,
    stop: () => miniflare.dispose(),
  }
}
