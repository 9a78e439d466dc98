/**
 * The databases behind the stand-in: D1 as Miniflare has it, which is workerd's SQLite.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { doorOptions, openDatabase } from '../../../db/doors/database-door.ts'

export interface StoredDatabase {
  readonly uuid: string
  readonly name: string
  readonly createdAt: string
  readonly door: D1Database
  replication: 'auto' | 'disabled'
}

export interface D1Store {
  list(): readonly StoredDatabase[]
  /** By its id or its name. */
  find(idOrName: string): StoredDatabase | undefined
  create(name: string): StoredDatabase
  remove(uuid: string): void
  stop(): Promise<void>
}

/** Bindings for databases that are made later; one that nobody asks costs nothing. */
const spare = 16

export async function openStore(names: readonly string[]): Promise<D1Store> {
  const bindings = Array.from({ length: names.length + spare }, (_, i) => `D${i}`)
  const miniflare = new Miniflare({
    ...convertV4MiniflareOptions({
      workers: [doorOptions(Object.fromEntries(bindings.map((binding) => [binding, binding])))],
    }),
    // It tells of every transaction that is made to fail.
    handleStructuredLogs: () => undefined,
  })
  await miniflare.ready
  const databases: StoredDatabase[] = []
  const create = (name: string): StoredDatabase => {
    const binding = bindings.shift()
    if (binding === undefined)
      throw new Error(`the stand-in has no place for more than ${spare} further databases`)
    const database: StoredDatabase = {
      uuid: randomUUID(),
      name,
      createdAt: new Date().toISOString(),
      door: openDatabase(miniflare, binding),
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
    stop: () => miniflare.dispose(),
  }
}
