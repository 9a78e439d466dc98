import { isOpen, readConversion } from '../../db/conversions/conversion.ts'
import type { ConversionWorld } from '../../db/conversions/conversion-world.ts'
import { convertStep, type Left } from '../../db/conversions/convert.ts'
import { emit } from './events.ts'
import type { Engine, Services } from './services.ts'

/** What a conversion works with here. The databases are asked directly: while tables change, they answer nobody else. */
export function conversionWorldOf(
  { bindings }: Pick<Services, 'bindings'>,
  { declared, declarations, buckets }: Engine,
  renew: ConversionWorld['renew'],
): ConversionWorld {
  return { databases: bindings, declared, declarations, storage: buckets, now: Date.now, renew }
}

/** The conversion that is open; null when there is none. */
export async function openConversion({ databases }: Pick<ConversionWorld, 'databases'>) {
  const primary = databases.get('DB')
  if (primary === undefined || databases.size < 2) return null
  const conversion = await readConversion(primary)
  return conversion !== null && isOpen(conversion) ? conversion : null
}

/** Makes the next step, and tells of the end. */
export async function stepConversion(world: ConversionWorld): Promise<Left> {
  const left = await convertStep(world)
  if (left !== 'nothing') return left
  const ended = await readConversion(world.databases.get('DB') as never)
  if (ended) {
    const { tables, state: outcome, pausedMs, error } = ended
    emit({ kind: 'conversion-ended', tables: tables.map(({ table }) => table), outcome, pausedMs, error })
  }
  return left
}
