/**
 * `npm run shards -- convert`: tables come to lie where `db/app/tables.ts` says, while they are used; the server that is asked does it.
 * @module
 */
import { UsageError } from '../../db/doors/usage-error.ts'
import type { ConversionStatus, PlannedConversion, ShownConversion } from '../shards/area.ts'

/** What is asked of `/shards/v1`. */
export type AskShards = <Answer>(path: string, init?: { method?: string; body?: object }) => Promise<Answer>

export interface ConvertOptions {
  readonly plan: boolean
  /** Seconds; null: as the server says, and none on this machine, where no older code is at work. */
  readonly wait: number | null
  readonly isLocal: boolean
}

/** @param what `cancel`, `status`, or nothing: it begins, and is followed to its end */
export async function convertTables(
  ask: AskShards,
  what: string | undefined,
  options: ConvertOptions,
): Promise<void> {
  if (what === 'cancel') {
    show(await ask<ShownConversion>('/conversion/cancel', { method: 'POST' }))
  } else if (what === 'status') {
    const { conversion, pending } = await ask<ConversionStatus>('/conversion')
    if (conversion) show(conversion)
    for (const { table, from, to, rows } of pending)
      console.log(`${table}: ${from}, to be ${to}; ${rows} rows`)
    if (!conversion && pending.length === 0) console.log('Every table lies where the code says.')
  } else if (what !== undefined) {
    throw new UsageError(`convert is followed by cancel, status or nothing, and not by ${what}`)
  } else if (options.plan) showPlan(await ask<PlannedConversion>('/conversion/plan'))
  else {
    const wait = options.wait ?? (options.isLocal ? 0 : null)
    const body = wait === null ? {} : { waitSeconds: wait }
    show(await ask<ShownConversion>('/conversion', { method: 'POST', body }))
    await follow(ask)
  }
}

async function follow(ask: AskShards): Promise<void> {
  for (let last = ''; ; ) {
    await new Promise((done) => setTimeout(done, 500))
    // In the moment in which tables change, this may have to be asked again.
    const told = await ask<ConversionStatus>('/conversion?count=none').catch(() => null)
    const conversion = told?.conversion
    if (!conversion) continue
    const { state, error } = conversion
    if (`${state} ${error}` !== last) show(conversion)
    last = `${state} ${error}`
    if (state === 'failed') throw new Error('The tables lie where they lay.')
    if (state === 'done' || state === 'cancelled') return
  }
}

const phases: Readonly<Record<ShownConversion['state'], string>> = {
  gathering: 'slots come together on DB',
  filling: 'rows are looked at, and lookup entries made',
  changing: 'the tables are about to change',
  spreading: 'slots go back to where they were',
  done: 'done',
  cancelled: 'cancelled',
  failed: 'failed',
}

function show({ tables, state, notBefore, pausedMs, error }: ShownConversion): void {
  const names = tables.map(({ table, to }) => `${table} -> ${to}`).join(', ')
  const parts = [
    phases[state],
    ...(state === 'changing' && Date.parse(notBefore) > Date.now() ? [`not before ${notBefore}`] : []),
    ...(pausedMs === null ? [] : [`nobody was answered for ${pausedMs} ms`]),
    ...(error === null ? [] : [error]),
  ]
  console.log(`${names}: ${parts.join('; ')}`)
}

function showPlan({ tables, moves, bytes, pausedMs }: PlannedConversion): void {
  for (const { table, from, to, rows } of tables) console.log(`${table}: ${from} -> ${to}; ${rows} rows`)
  for (const { from, slotCount, bytes: own, seconds } of moves)
    console.log(
      `${from} -> DB and back: ${slotCount} slots, about ${(own / 1e6).toFixed(1)} MB${seconds === null ? '' : `, some ${seconds} s each way`}`,
    )
  console.log(
    `All databases together have ${(bytes / 1e6).toFixed(1)} MB${pausedMs === null ? '' : `; the last conversion let nobody be answered for ${pausedMs} ms`}.`,
  )
}
