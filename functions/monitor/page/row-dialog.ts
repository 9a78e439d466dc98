/**
 * A row as a form: what has changed of it is sent, and nothing else.
 * @module
 */
import { Refused } from './ask.ts'
import { h } from './dom.ts'

export interface TableInfo {
  /** In SQL. */
  readonly name: string
  /** What the data API calls it. */
  readonly shownName: string
  /** A schema by which its rows can be asked for; null: there is none. */
  readonly schema: string | null
  readonly kind: 'table' | 'view'
  readonly placement: string
  readonly primaryKey: readonly string[]
  readonly columns: readonly ColumnInfo[]
}

interface ColumnInfo {
  readonly name: string
  readonly type: string
  readonly nullable: boolean
  readonly isWritten: boolean
  readonly values: readonly string[] | null
}

export type Row = Readonly<Record<string, unknown>>

export function rowDialog(
  table: TableInfo,
  row: Row,
  send: (method: 'PATCH' | 'DELETE', body?: unknown) => Promise<void>,
): HTMLDialogElement {
  const failure = h('p', { class: 'failure', role: 'alert', hidden: true })
  const fields = table.columns
    .filter(({ isWritten }) => isWritten)
    .map((column) => fieldFor(column, row[column.name]))
  const attempt = async (work: () => Promise<void>) => {
    try {
      await work()
      dialog.close()
    } catch (error) {
      failure.textContent = error instanceof Refused ? error.message : String(error)
      failure.hidden = false
    }
  }
  const save = (event: Event) => {
    event.preventDefault()
    void attempt(async () => {
      const changed = fields.flatMap(({ column, read, before }) => {
        const value = read()
        return JSON.stringify(value) === JSON.stringify(before) ? [] : [[column, value]]
      })
      if (changed.length > 0) await send('PATCH', Object.fromEntries(changed))
    })
  }
  const remove = () => {
    if (confirm(`Delete this row of ${table.name}?`)) void attempt(() => send('DELETE'))
  }
  const dialog: HTMLDialogElement = h(
    'dialog',
    { 'aria-label': `A row of ${table.name}`, onclose: () => dialog.remove() },
    h(
      'form',
      { onsubmit: save },
      h('h2', {}, table.name),
      ...fields.map(({ element }) => element),
      failure,
      h(
        'div',
        { class: 'pager' },
        h('button', { type: 'submit' }, 'Save'),
        h('button', { type: 'button', class: 'danger', onclick: remove }, 'Delete'),
        h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel'),
      ),
    ),
  )
  return dialog
}

function fieldFor({ name, type, nullable, values }: ColumnInfo, before: unknown) {
  const text =
    before === null || before === undefined
      ? ''
      : typeof before === 'object'
        ? JSON.stringify(before)
        : String(before)
  const options = values ?? (type === 'boolean' ? ['true', 'false'] : null)
  const input = options
    ? h(
        'select',
        { name },
        ...(nullable ? [h('option', { value: '' }, '')] : []),
        ...options.map((value) => h('option', { value, selected: value === text }, value)),
      )
    : text.length > 60
      ? h('textarea', { name, rows: 3 })
      : h('input', { name })
  input.value = text
  const isNull = nullable
    ? h('input', { type: 'checkbox', checked: before === null, 'aria-label': `${name} is null` })
    : null
  input.addEventListener('input', () => {
    if (isNull) isNull.checked = false
  })
  const read = (): unknown => {
    if (isNull?.checked) return null
    if (input.value === text) return before
    if (type === 'boolean') return input.value === 'true'
    // The server takes digits as they are: a number of JavaScript's would lose some.
    if (type === 'json') return JSON.parse(input.value)
    return input.value
  }
  return {
    column: name,
    before,
    read,
    element: h(
      'label',
      {},
      h('span', {}, `${name} `, h('small', {}, type)),
      input,
      isNull ? h('span', { class: 'null' }, isNull, ' null') : null,
    ),
  }
}
