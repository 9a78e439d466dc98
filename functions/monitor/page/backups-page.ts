/**
 * Backups that are there, what is under way with them, and what may be done.
 * @module
 */
import type { ShownBackup, ShownRun } from '../../backups/shown.ts'
import { askAs } from './ask.ts'
import { attempts } from './attempts.ts'
import { pruneDialog, restoreDialog, summaryDialog } from './backup-dialogs.ts'
import { confirmName } from './confirm-name.ts'
import { badge, bytes, count, dateTime, h, keepingFocus, section, tableOf } from './dom.ts'
import type { Page } from './page.ts'

const mostRuns = 20

export function backupsPage(): Page {
  let backups: readonly ShownBackup[] = []
  /** Runs that were over when backups were listed; null: they are to be listed. */
  let listedAt: string | null = null
  const { failure, attempt } = attempts()
  const list = h('div')
  const under = h('div')
  const order = async (method: string, path: string, body?: object) => {
    await askAs(method, `/backups/v1${path}`, body)
    listedAt = null
    await refresh()
  }
  const refresh = async () => {
    const answer = await askAs('GET', '/backups/v1/runs')
    let { runs } = (await answer.json()) as { runs: readonly ShownRun[] }
    // A list reads all manifests: it is asked for when it may have changed, and not every few seconds.
    const now = overOf(runs)
    if (listedAt !== now) {
      const listed = (await (await askAs('GET', '/backups/v1/')).json()) as {
        backups: readonly ShownBackup[]
        runs: readonly ShownRun[]
      }
      backups = listed.backups
      runs = listed.runs
      listedAt = overOf(runs)
    }
    keepingFocus(list, () => list.replaceChildren(backupsTable(runs)))
    keepingFocus(under, () => under.replaceChildren(runsTable(runs.slice(0, mostRuns))))
  }
  const turn = (key: string, title: string, work: () => void, kind: string | null = null) =>
    h('button', { type: 'button', class: kind, 'data-key': `${key} ${title}`, onclick: work }, title)

  const backupsTable = (runs: readonly ShownRun[]) =>
    tableOf<ShownBackup>(
      [
        { title: 'Made', cell: ({ finished }) => (finished === null ? '–' : dateTime(finished)) },
        { title: 'Kind', cell: kindOf },
        { title: 'State', cell: (backup) => goodness(backup, runs) },
        { title: 'Databases', isNumber: true, cell: ({ databases }) => databases.length },
        { title: 'Rows', isNumber: true, cell: ({ rows }) => count(rows) },
        { title: 'Size', isNumber: true, cell: (backup) => bytes(backup.bytes) },
        { title: 'Id', cell: ({ id }) => h('code', { class: 'one-line' }, id) },
        { title: '', cell: turnsOf },
      ],
      backups,
      'There is no backup.',
    )
  const turnsOf = (backup: ShownBackup) => {
    const { id, refused } = backup
    const path = `/${encodeURIComponent(id)}`
    const remove = () => {
      const increments = incrementsOf(id, backups).length
      const what =
        increments === 0 ? 'Its files go.' : `It goes, and ${count(increments)} increments that add to it.`
      confirmName('Delete the backup', `${what} There is no way back.`, id, () =>
        order('DELETE', increments === 0 ? path : `${path}?increments=true`),
      )
    }
    return h(
      'span',
      { class: 'inline' },
      ...(refused === null
        ? [
            turn(id, 'Show', () => summaryDialog(backup)),
            turn(id, 'Verify', () => void attempt(() => order('POST', `${path}/verify`, {}))),
            turn(id, 'Restore', () => restoreDialog(id, (body) => order('POST', `${path}/restore`, body))),
          ]
        : []),
      turn(id, 'Delete', remove, 'danger'),
    )
  }
  const runsTable = (runs: readonly ShownRun[]) =>
    tableOf<ShownRun>(
      [
        { title: 'Asked', cell: ({ created }) => dateTime(created) },
        { title: 'What', cell: whatOf },
        { title: 'State', cell: runState },
        { title: 'Done', cell: progressOf },
        {
          title: 'Rows',
          isNumber: true,
          cell: ({ kind, rows }) => (kind === 'verify' ? '–' : count(rows)),
        },
        { title: 'Backup', cell: ({ backup }) => h('code', { class: 'one-line' }, backup) },
        {
          title: '',
          cell: ({ id, state }) =>
            isOver(state)
              ? null
              : turn(
                  id,
                  'Cancel',
                  () => void attempt(() => order('POST', `/runs/${encodeURIComponent(id)}/cancel`, {})),
                  'danger',
                ),
        },
      ],
      runs,
      'Nothing was asked for.',
    )
  const buttons = h(
    'div',
    { class: 'inline' },
    h(
      'button',
      { type: 'button', onclick: () => void attempt(() => order('POST', '/', {})) },
      'Create a backup',
    ),
    h(
      'button',
      { type: 'button', onclick: () => void attempt(() => order('POST', '/', { increment: true })) },
      'Create an increment',
    ),
    h(
      'button',
      { type: 'button', onclick: () => pruneDialog((body) => order('POST', '/prune', body)) },
      'Prune',
    ),
  )
  return {
    element: h('div', {}, failure, buttons, section('Backups', list), section('What was asked for', under)),
    refresh,
  }
}

function isOver(state: ShownRun['state']): boolean {
  return state !== 'waiting' && state !== 'running'
}

function overOf(runs: readonly ShownRun[]): string {
  return runs.flatMap(({ id, state }) => (isOver(state) ? [id] : [])).join()
}

/** Those that add to a backup, and those that add to them. */
function incrementsOf(id: string, backups: readonly ShownBackup[]): readonly string[] {
  return backups
    .filter(({ parent }) => parent === id)
    .flatMap((child) => [child.id, ...incrementsOf(child.id, backups)])
}

/** Of an increment, what it adds to; of a full backup that was to be one, why it is not. */
function kindOf({ kind, parent, instead }: ShownBackup): HTMLElement | string {
  if (kind === null) return '–'
  if (parent === null)
    return instead === null ? kind : h('span', {}, kind, h('small', {}, `no increment, as ${instead}`))
  return h('span', {}, kind, h('small', {}, 'adds to ', h('code', { class: 'one-line' }, parent)))
}

function whatOf({ kind, instead }: ShownRun): HTMLElement | string {
  if (instead !== null) return h('span', {}, 'backup', h('small', {}, `no increment, as ${instead}`))
  return kind === 'full' ? 'backup' : kind
}

/** What its manifest says, and the last verification that was not cancelled. */
function goodness({ id, refused }: ShownBackup, runs: readonly ShownRun[]): HTMLElement {
  if (refused !== null) return h('span', {}, badge('not to be used', 'bad'), h('small', {}, refused))
  const verified = runs.find(
    ({ kind, backup, state }) =>
      kind === 'verify' && backup === id && (state === 'done' || state === 'failed'),
  )
  if (verified === undefined) return badge('not verified', 'plain')
  if (verified.state === 'failed')
    return h('span', {}, badge('not verified', 'bad'), h('small', {}, verified.error?.slice(0, 300)))
  return wrongOf(verified).length === 0
    ? badge('good', 'good')
    : h('span', {}, badge('damaged', 'bad'), wrongs(verified))
}

function wrongOf({ findings }: ShownRun) {
  return findings.filter(({ isRight }) => !isRight)
}

function wrongs(run: ShownRun): HTMLElement | null {
  const wrong = wrongOf(run)
  const [first] = wrong
  if (first === undefined) return null
  const more = wrong.length === 1 ? '' : `; ${count(wrong.length - 1)} more`
  return h('small', {}, `${first.check}: ${first.says}${more}`)
}

function runState(run: ShownRun): HTMLElement {
  const { state, error } = run
  const isBad = state === 'failed' || wrongOf(run).length > 0
  const kind = isBad ? 'bad' : state === 'done' ? 'good' : 'plain'
  return h(
    'span',
    {},
    badge(state, kind),
    error === null ? null : h('small', {}, error.slice(0, 300)),
    wrongs(run),
  )
}

function progressOf({ state, done, of }: ShownRun): HTMLElement | string {
  if (state === 'done') return 'all'
  if (of === null || of === 0) return '–'
  const said = `${count(done)} of ${count(of)}`
  return h(
    'span',
    { class: 'one-line' },
    h('progress', { max: of, value: done, 'aria-label': `${state}: ${said}` }),
    ` ${said}`,
  )
}
