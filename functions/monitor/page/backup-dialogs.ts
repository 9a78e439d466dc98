/**
 * What is asked before a backup is restored or backups are pruned, and what a manifest says in short.
 * @module
 */
import type { ShownBackup, ShownPlan } from '../../backups/shown.ts'
import { askAs } from './ask.ts'
import { attempts } from './attempts.ts'
import { confirmName } from './confirm-name.ts'
import { bytes, count, dateTime, h, tableOf } from './dom.ts'
import { openDialog } from './open-dialog.ts'

/** @param body without `plan` */
type Send = (body: object) => Promise<void>

function closing(dialog: () => HTMLDialogElement): HTMLElement {
  return h('button', { type: 'button', onclick: () => dialog().close() }, 'Close')
}

function listOf(title: string, lines: readonly string[]): Node[] {
  if (lines.length === 0) return []
  return [h('h3', {}, title), h('ul', {}, ...lines.map((line) => h('li', {}, line)))]
}

export function summaryDialog({
  id,
  begun,
  finished,
  bytes: size,
  files,
  databases,
  tables,
  migrations,
  leftOut,
  parent,
}: ShownBackup): void {
  const dialog = openDialog(
    `Backup ${id}`,
    h(
      'p',
      {},
      `${parent === null ? 'A full backup' : `What has changed since ${parent}`}. From ${dateTime(begun ?? '')} to ${dateTime(finished ?? '')}; ${count(files)} files, ${bytes(size)}; ${count(migrations.length)} migrations, the last ${migrations.at(-1) ?? 'none'}.`,
    ),
    tableOf<ShownBackup['databases'][number]>(
      [
        { title: 'Database', cell: ({ name }) => name },
        { title: 'As of', cell: ({ at }) => dateTime(at) },
        { title: 'Position', isNumber: true, cell: ({ position }) => position },
      ],
      databases,
      'No database.',
    ),
    tableOf<readonly [string, number]>(
      [
        { title: 'Table', cell: ([name]) => name },
        { title: 'Rows', isNumber: true, cell: ([, rows]) => count(rows) },
      ],
      Object.entries(tables),
      'No table.',
    ),
    ...listOf(
      'Left out',
      leftOut.map(({ what, why }) => `${what}: ${why}`),
    ),
    closing(() => dialog),
  )
}

/** Plans a restore; what was planned may be done once the id was typed. */
export function restoreDialog(id: string, send: Send): void {
  const { failure, attempt } = attempts()
  const planned = h('div', { 'aria-live': 'polite' })
  const into = h(
    'select',
    { name: 'into' },
    h('option', { value: 'empty' }, 'empty databases'),
    h('option', { value: 'beside' }, 'beside what is there'),
  )
  const tables = h('input', { name: 'tables', placeholder: 'all', autocomplete: 'off' })
  const value = h('input', { name: 'value', placeholder: 'all', autocomplete: 'off' })
  const conflict = h(
    'select',
    { name: 'conflict' },
    h('option', { value: 'lacking' }, 'stay as they are'),
    h('option', { value: 'replace' }, 'are replaced'),
  )
  const jobs = h('input', { name: 'jobs', type: 'checkbox' })
  const besides = h(
    'div',
    { hidden: true },
    h('label', {}, 'Tables, with commas', tables),
    h('label', {}, 'Distribution value', value),
    h('label', {}, 'Rows that are there', conflict),
  )
  const bodyOf = () => {
    const names = tables.value.split(/[\s,]+/).filter((name) => name !== '')
    const beside = {
      ...(names.length > 0 ? { tables: names } : {}),
      ...(value.value === '' ? {} : { value: value.value }),
      conflict: conflict.value,
    }
    return { into: into.value, ...(into.value === 'beside' ? beside : {}), jobs: jobs.checked }
  }
  const plan = () =>
    attempt(async () => {
      const body = bodyOf()
      const path = `/backups/v1/${encodeURIComponent(id)}/restore`
      const shown = (await (await askAs('POST', path, { ...body, plan: true })).json()) as ShownPlan
      const restore = () => {
        dialog.close()
        confirmName(
          'Restore the backup',
          body.into === 'empty'
            ? 'All of it is laid into the databases, which are empty.'
            : 'Rows are laid beside what is there.',
          id,
          () => send(body),
        )
      }
      const isFree = shown.problems.length === 0
      planned.replaceChildren(
        ...planOf(shown),
        isFree ? h('button', { type: 'button', class: 'danger', onclick: restore }, 'Restore') : '',
      )
    })
  const dialog = openDialog(
    `Restore ${id}`,
    h(
      'form',
      {
        onsubmit: (event) => {
          event.preventDefault()
          void plan()
        },
        // What was planned was for what stood here before.
        oninput: () => {
          besides.hidden = into.value === 'empty'
          planned.replaceChildren()
        },
      },
      h('label', {}, 'Into', into),
      besides,
      h('label', {}, 'Jobs come back, too', jobs),
      failure,
      h(
        'div',
        { class: 'pager' },
        h('button', { type: 'submit' }, 'Plan'),
        closing(() => dialog),
      ),
    ),
    planned,
  )
}

function planOf({ tables, problems, notes }: ShownPlan): Node[] {
  return [
    ...listOf('In the way', problems),
    ...listOf('Notes', notes),
    tableOf<ShownPlan['tables'][number]>(
      [
        { title: 'Table', cell: ({ name }) => name },
        { title: 'Rows', isNumber: true, cell: ({ rows }) => count(rows) },
        { title: 'To', cell: ({ to }) => to },
      ],
      tables,
      'No table would be laid.',
    ),
  ]
}

const rules = ['hourly', 'daily', 'weekly', 'monthly'] as const

/** Says which backups would go, and lets them go then. */
export function pruneDialog(send: Send): void {
  const { failure, attempt } = attempts()
  const planned = h('div', { 'aria-live': 'polite' })
  const fields = rules.map((name) => h('input', { name, type: 'number', min: 0, class: 'short' }))
  const bodyOf = () => {
    const said = fields.flatMap(({ name, value }) => (value === '' ? [] : [[name, Number(value)] as const]))
    return said.length === 0 ? {} : { keep: Object.fromEntries(said) }
  }
  const plan = () =>
    attempt(async () => {
      const body = bodyOf()
      const answer = await askAs('POST', '/backups/v1/prune', { ...body, plan: true })
      const { pruned, links } = (await answer.json()) as {
        pruned: readonly string[]
        links: readonly string[]
      }
      const prune = () =>
        void attempt(async () => {
          await send(body)
          dialog.close()
        })
      planned.replaceChildren(
        ...listOf('Kept, as increments add to them', links),
        ...(pruned.length === 0
          ? [h('p', { class: 'quiet' }, 'Every backup is kept.')]
          : [
              ...listOf('Would go', pruned),
              h('button', { type: 'button', class: 'danger', onclick: prune }, 'Let them go'),
            ]),
      )
    })
  const dialog = openDialog(
    'Prune backups',
    h(
      'p',
      {},
      'One backup is kept of each of so many times. Without a number, the rules of the configuration hold.',
    ),
    h(
      'form',
      {
        onsubmit: (event) => {
          event.preventDefault()
          void plan()
        },
        oninput: () => planned.replaceChildren(),
      },
      ...fields.map((field) => h('label', {}, field.name, field)),
      failure,
      h(
        'div',
        { class: 'pager' },
        h('button', { type: 'submit' }, 'Plan'),
        closing(() => dialog),
      ),
    ),
    planned,
  )
}
