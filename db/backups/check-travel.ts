/**
 * Looks whether databases that were put back to one moment are one whole, and nothing of the time that was taken back can come again.
 * @module
 */
import { readMapRow } from '../moves/slot-states.ts'
import { conflictsOn } from '../restores/conflicts.ts'
import { readSeen, seenOf } from '../restores/positions.ts'
import { ownerOf, parseMap } from '../slots/shard-map.ts'
import { slotCount } from '../slots/slots.ts'
import type { BackupWorld } from './backup-world.ts'
import type { Finding } from './check-whole.ts'
import type { Travel } from './travel.ts'

export async function checkTravel(
  { session }: Pick<BackupWorld, 'session'>,
  travel: Travel,
): Promise<Finding[]> {
  const { databases, primary, sharded } = session.cluster
  const findings: Finding[] = []
  const add = (check: string, wrong: readonly string[], right: string) =>
    findings.push({ check, isRight: wrong.length === 0, says: wrong.length === 0 ? right : wrong.join(', ') })
  const epochs: string[] = []
  const owned: { readonly first: number; readonly last: number; readonly database: string }[] = []
  const conflicts: string[] = []
  for (const name of databases) {
    const [[row] = [], slots = []] = await session.on(name, [
      readSeen(name === primary),
      { text: "SELECT first, last FROM _atoll_slots WHERE state = 'open'", parameters: [] },
    ])
    for (const { first, last } of slots)
      owned.push({ first: Number(first), last: Number(last), database: name })
    const now = row && seenOf(row)
    const before = travel.databases.find((one) => one.name === name)?.seen
    if (!now || !before) continue
    const { positions: own } = now
    const { positions: known } = before
    add(
      `numbers of ${name}`,
      [
        ...(['changes', 'jobs', 'references'] as const).filter((log) => own[log] < known[log]),
        ...Object.entries(known.numbers).flatMap(([table, next]) =>
          (own.numbers[table] ?? 0) < next ? [`ids of ${table}`] : [],
        ),
      ].map((what) => `${what} may be given out twice`),
      'go on behind all that were given out',
    )
    add(
      `life of ${name}`,
      [
        ...(now.incarnation === before.incarnation ? ['it is the one of before'] : []),
        ...(row.repair === null ? [] : ['its repair is not over']),
      ],
      'another one, and nothing is left to repair',
    )
    if (sharded && (own.epoch <= known.epoch || own.epoch < (travel.epoch ?? 0)))
      epochs.push(`${name} is at ${own.epoch}, and was at ${known.epoch}`)
    for (const { kind, name: of, key } of await conflictsOn(session, name))
      conflicts.push(`${kind} ${of} ${key}`)
  }
  add('what nobody can decide', conflicts, 'nothing')
  if (!sharded) return findings
  add('epochs', epochs, `all above those that were`)
  const map = parseMap(await readMapRow(session))
  const wrong: string[] = []
  for (let slot = 0; slot < slotCount && wrong.length < 5; slot++) {
    const owners = owned.filter(({ first, last }) => first <= slot && slot <= last)
    if (owners.length !== 1 || map === null || owners[0]?.database !== ownerOf(map, slot))
      wrong.push(`slot ${slot} has ${owners.map(({ database }) => database).join(' and ') || 'no owner'}`)
  }
  add('slots', wrong, 'each has one owner, and the map says which')
  return findings
}
