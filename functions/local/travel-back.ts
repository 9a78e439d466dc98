/**
 * `npm run backup -- restore --at …`: all databases back to one moment by D1's Time Travel. The Worker says what is lost, keeps what must
 * never come again, and puts right what the databases know of each other; what it may not do at Cloudflare is done here. Whenever it dies, it goes on
 * when it is run again: how far it has come lies in the bucket of backups, which does not go back.
 * @module
 */
import { UsageError } from '../../db/doors/usage-error.ts'
import type { ShownTravel, ShownTravelPlan } from '../backups/area.ts'

/** What is done at Cloudflare, where the Worker has no rights. */
export interface TravelHands {
  /** By the bindings of databases. */
  bookmarkAt(database: string, at: number): Promise<string | null>
  madeAt(database: string): Promise<number | null>
  /** @returns the bookmark of before */
  restore(database: string, bookmark: string): Promise<string | null>
  /** Sets `ATOLL_TIME_TRAVEL` of the Worker. */
  setting(text: string): Promise<void>
  /** Applies the migrations that the databases lack then. */
  migrate(): Promise<void>
}

export interface TravelOptions {
  /** ISO 8601, or the id of a backup. */
  readonly to: { readonly at: string } | { readonly backup: string }
  readonly isPlan: boolean
  /** Whether migrations that were applied since are applied again. */
  readonly migrates: boolean
  /** Whether callers are let in though something is wrong. */
  readonly opensAnyway: boolean
  /** How long versions of the Worker from before have to come to an end, in seconds. */
  readonly waitSeconds: number
}

type Ask = <Answer>(path: string, method?: string, body?: object) => Promise<Answer>

/** Answers in a row that must agree on what the setting is, as several isolates answer. */
const agreeing = 5
const pauseMs = 300
/** How long a change of the setting has to be everywhere. */
const longestWaitMs = 120_000

/** @returns whether all is right */
export async function travelBack(
  ask: Ask,
  hands: TravelHands,
  { to, isPlan, migrates, opensAnyway, waitSeconds }: TravelOptions,
  tell: (line: string) => void,
): Promise<boolean> {
  let { travel } = await ask<ShownTravel>('/travel')
  const isNew = travel === null || travel.phase === 'over' || travel.phase === 'cancelled'
  if (isPlan || isNew) {
    const plan = await ask<ShownTravelPlan>('/travel/plan', 'POST', to)
    const { bookmarks, problems } = await bookmarksOf(plan, hands)
    const inTheWay = [
      ...problems,
      ...(plan.migrations.length > 0 && !migrates
        ? [
            `${plan.migrations.join(', ')} ${plan.migrations.length === 1 ? 'was' : 'were'} applied since: with --migrate they are applied again.`,
          ]
        : []),
    ]
    tell(`To ${new Date(plan.at).toISOString()}:`)
    for (const { name, changes, isWhole } of plan.databases)
      tell(
        `  ${name}  ${bookmarks[name] ?? 'no bookmark'}; ${isWhole || changes === 0 ? '' : 'at least '}${changes} changes of rows are lost`,
      )
    for (const note of plan.notes) tell(note)
    for (const problem of inTheWay) tell(`In the way: ${problem}`)
    if (isPlan || inTheWay.length > 0) return inTheWay.length === 0
    const backup = 'backup' in to ? to.backup : null
    const begun = await ask<ShownTravel>('/travel', 'POST', { at: plan.at, backup, bookmarks })
    travel = begun.travel
  } else if (travel && !isSame(travel, to))
    throw new UsageError(
      `The databases are on their way to ${travel.backup ?? new Date(travel.at).toISOString()} (${travel.id}, ${travel.phase}). Go on with that one, or cancel it as long as none is back: restore --cancel.`,
    )
  if (travel === null) throw new UsageError('Nothing was begun.')
  const { id } = travel
  const step = async (path: string, body: object = {}) => {
    const { travel: next } = await ask<ShownTravel>(`/travel/${id}/${path}`, 'POST', body)
    if (next === null) throw new UsageError(`${id} is gone.`)
    return next
  }

  if (travel.phase !== 'checked') await setAndWait(`closed ${id}`)
  if (travel.phase === 'begun') {
    tell('nobody is let in any more: 503, with Retry-After')
    await pause(waitSeconds * 1000)
    travel = await step('close')
  }
  for (const { name, bookmark, isRestored } of travel.databases) {
    if (isRestored) continue
    const previous = await hands.restore(name, bookmark)
    travel = await step('restored', { database: name, previous })
    tell(`${name} is back${previous === null ? '' : `; before it was at ${previous}`}`)
  }
  if (migrates && travel.phase === 'restored') await hands.migrate()
  if (travel.phase !== 'checked') {
    tell('putting right what the databases know of each other, and looking at all rows')
    while (travel.phase !== 'checked') travel = await step('mend')
  }
  for (const { check, isRight, says } of travel.findings)
    tell(`  ${isRight ? 'right' : 'WRONG'}  ${check}: ${says}`)
  const isRight = travel.findings.every((finding) => finding.isRight)
  if (!isRight && !opensAnyway) {
    tell('Something is wrong, so nobody is let in yet. The same with --open lets callers in.')
    for (const { name, previous } of travel.databases)
      if (previous !== null) tell(`  ${name} was at ${previous} before`)
    return false
  }
  await setAndWait(`open ${id}`)
  await step('end')
  tell('callers are let in again; sessions of before are refused (SHARD040)')
  return isRight

  async function setAndWait(text: string): Promise<void> {
    const isClosed = text.startsWith('closed')
    const isSet = async () => {
      const { setting } = await ask<ShownTravel>('/travel')
      return setting?.id === id && setting.isClosed === isClosed
    }
    // Whoever goes on finds it set, most often.
    if (!(await isSet())) await hands.setting(text)
    const end = Date.now() + longestWaitMs
    for (let agreed = 0; agreed < agreeing; ) {
      agreed = (await isSet().catch(() => false)) ? agreed + 1 : 0
      if (agreed === 0 && Date.now() > end)
        throw new UsageError(
          'The change of ATOLL_TIME_TRAVEL is not everywhere yet: run the same again in a while.',
        )
      if (agreed < agreeing) await pause(agreed === 0 ? pauseMs : 20)
    }
  }
}

/** Gives one up of which no database is back yet, and lets callers in. */
export async function cancelTravel(ask: Ask, hands: Pick<TravelHands, 'setting'>): Promise<void> {
  const { travel, setting } = await ask<ShownTravel>('/travel')
  if (travel === null || travel.phase === 'over') throw new UsageError('Nothing is on its way back in time.')
  if (travel.phase !== 'cancelled') await ask(`/travel/${travel.id}/cancel`, 'POST', {})
  if (setting?.isClosed) await hands.setting(`open ${travel.id}`)
}

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms))

function isSame(travel: NonNullable<ShownTravel['travel']>, to: TravelOptions['to']): boolean {
  return 'at' in to ? travel.backup === null && travel.at === Date.parse(to.at) : travel.backup === to.backup
}

async function bookmarksOf(
  { at, databases, bookmarks: known, problems }: ShownTravelPlan,
  hands: TravelHands,
): Promise<{ readonly bookmarks: Record<string, string>; readonly problems: readonly string[] }> {
  const bookmarks: Record<string, string> = {}
  const found = [...problems]
  for (const { name } of databases) {
    const made = await hands.madeAt(name)
    if (made !== null && made > at) {
      found.push(`${name} did not exist then: it was made at ${new Date(made).toISOString()}.`)
      continue
    }
    const bookmark = known === null ? await hands.bookmarkAt(name, at) : (known[name] ?? null)
    if (bookmark === null) found.push(`Cloudflare has no bookmark of ${name} for then.`)
    else bookmarks[name] = bookmark
  }
  return { bookmarks, problems: found }
}
