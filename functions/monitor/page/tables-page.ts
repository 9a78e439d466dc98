/**
 * A data browser: pages, filters, orders and edits through the data API itself.
 * @module
 */
import { ask, askAs, Refused } from './ask.ts'
import { badge, count, h, tableOf } from './dom.ts'
import type { Page } from './main.ts'

interface TableInfo {
  readonly name: string
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

type Row = Readonly<Record<string, unknown>>

const pageRows = 50
const operators = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'like', 'ilike', 'is', 'in'] as const

export function tablesPage([name]: readonly string[]): Page {
  const element = h('div')
  let isOpen = false
  return {
    element,
    // Rows are read when somebody asks for them, not every few seconds.
    async refresh() {
      if (isOpen) return
      const tables = await ask<TableInfo[]>('/tables')
      const table = tables.find((one) => one.name === name)
      const list = tableOf<TableInfo>(
        [
          {
            title: 'Table',
            cell: (one) => h('a', { href: `#/tables/${encodeURIComponent(one.name)}` }, one.name),
          },
          { title: 'Lies', cell: (one) => badge(one.kind === 'view' ? 'view' : one.placement, 'plain') },
          { title: 'Columns', isNumber: true, cell: (one) => one.columns.length },
        ],
        tables,
        'No tables are served.',
      )
      element.replaceChildren(table ? browser(table) : list)
      isOpen = true
    },
  }
}

function browser(table: TableInfo): HTMLElement {
  const [firstKey = table.columns[0]?.name ?? ''] = table.primaryKey
  const state = { offset: 0, order: firstKey, descending: false, filter: '' }
  const rows = h('div', { 'aria-live': 'polite' })
  const position = h('span', { class: 'quiet' })
  const failure = h('p', { class: 'failure', role: 'alert', hidden: true })

  const guarded = async (work: () => Promise<void>) => {
    failure.hidden = true
    try {
      await work()
    } catch (error) {
      failure.textContent = error instanceof Refused ? error.message : String(error)
      failure.hidden = false
    }
  }
  const load = () =>
    guarded(async () => {
      const query = new URLSearchParams({
        limit: String(pageRows),
        offset: String(state.offset),
        order: `${state.order}.${state.descending ? 'desc' : 'asc'}`,
      })
      const path = `/rest/v1/${encodeURIComponent(table.name)}?${query}${state.filter === '' ? '' : `&${state.filter}`}`
      const answer = await askAs('GET', path, undefined, {
        Prefer: 'count=exact',
        'Cache-Control': 'no-cache',
      })
      const total = Number(answer.headers.get('content-range')?.split('/')[1] ?? 0)
      const found = (await answer.json()) as Row[]
      position.textContent =
        found.length === 0
          ? 'no rows'
          : `${state.offset + 1} to ${state.offset + found.length} of ${count(total)}`
      previous.disabled = state.offset === 0
      next.disabled = state.offset + found.length >= total
      rows.replaceChildren(rowTable(table, found, state, load, (row) => edit(row)))
    })
  const edit = (row: Row) => {
    const dialog = rowDialog(table, row, async (method, body) => {
      const key = table.primaryKey.map(
        (column) => `${encodeURIComponent(column)}=eq.${encodeURIComponent(String(row[column]))}`,
      )
      await askAs(method, `/rest/v1/${encodeURIComponent(table.name)}?${key.join('&')}`, body)
      await load()
    })
    document.body.append(dialog)
    dialog.showModal()
  }
  const turn = (by: number) => {
    state.offset = Math.max(0, state.offset + by * pageRows)
    void load()
  }
  const previous = h('button', { type: 'button', onclick: () => turn(-1) }, 'Previous')
  const next = h('button', { type: 'button', onclick: () => turn(1) }, 'Next')
  void load()
  return h(
    'div',
    {},
    h('p', {}, h('a', { href: '#/tables' }, 'All tables'), ' · ', h('strong', {}, table.name)),
    filterForm(table, (filter) => {
      Object.assign(state, { filter, offset: 0 })
      void load()
    }),
    failure,
    rows,
    h('div', { class: 'pager' }, previous, position, next),
  )
}

function filterForm(table: TableInfo, onFilter: (filter: string) => void): HTMLElement {
  const column = h(
    'select',
    { 'aria-label': 'Column' },
    ...table.columns.map(({ name }) => h('option', { value: name }, name)),
  )
  const operator = h(
    'select',
    { 'aria-label': 'Comparison' },
    ...operators.map((name) => h('option', { value: name }, name)),
  )
  const value = h('input', { 'aria-label': 'Value', placeholder: 'all rows' })
  const submit = (event: Event) => {
    event.preventDefault()
    const text = operator.value === 'in' ? `(${value.value})` : value.value
    onFilter(
      value.value === ''
        ? ''
        : `${encodeURIComponent(column.value)}=${operator.value}.${encodeURIComponent(text)}`,
    )
  }
  return h(
    'form',
    { class: 'inline', onsubmit: submit },
    column,
    operator,
    value,
    h('button', { type: 'submit' }, 'Filter'),
  )
}

function rowTable(
  table: TableInfo,
  rows: readonly Row[],
  state: { order: string; descending: boolean; offset: number },
  load: () => Promise<void>,
  edit: (row: Row) => void,
): HTMLElement {
  const canEdit = table.kind === 'table' && table.primaryKey.length > 0
  const sort = (column: string) => {
    Object.assign(state, {
      descending: state.order === column && !state.descending,
      order: column,
      offset: 0,
    })
    void load()
  }
  const head = table.columns.map(({ name, type }) => {
    const isSorted = state.order === name
    return h(
      'th',
      {
        scope: 'col',
        class: isNumeric(type) ? 'number' : null,
        'aria-sort': isSorted ? (state.descending ? 'descending' : 'ascending') : null,
      },
      h(
        'button',
        { type: 'button', class: 'link', onclick: () => sort(name) },
        `${name}${isSorted ? (state.descending ? ' ↓' : ' ↑') : ''}`,
      ),
    )
  })
  const body = rows.map((row) =>
    h(
      'tr',
      {},
      canEdit
        ? h('td', {}, h('button', { type: 'button', class: 'link', onclick: () => edit(row) }, 'Edit'))
        : null,
      ...table.columns.map(({ name, type }) =>
        h('td', { class: isNumeric(type) ? 'number' : null }, shown(row[name])),
      ),
    ),
  )
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `Rows of ${table.name}` },
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, canEdit ? h('th', {}) : null, ...head)),
      h('tbody', {}, ...body),
    ),
  )
}

function isNumeric(type: string): boolean {
  return /integer|real|numeric/.test(type)
}

function shown(value: unknown): HTMLElement | string {
  if (value === null || value === undefined) return h('span', { class: 'quiet' }, 'null')
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return text.length > 80 ? h('span', { title: text.slice(0, 1000) }, `${text.slice(0, 80)}…`) : text
}

function rowDialog(
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
