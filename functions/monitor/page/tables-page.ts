/**
 * A data browser: pages, filters, orders and edits through the data API itself.
 * @module
 */
import { ask, askAs, Refused } from './ask.ts'
import { badge, count, h, tableOf } from './dom.ts'
import type { Page } from './page.ts'
import { type Row, rowDialog, type TableInfo } from './row-dialog.ts'

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
            cell: (one) =>
              one.schema === null
                ? one.name
                : h('a', { href: `#/tables/${encodeURIComponent(one.name)}` }, one.name),
          },
          { title: 'Lies', cell: (one) => badge(one.kind === 'view' ? 'view' : one.placement, 'plain') },
          { title: 'Columns', isNumber: true, cell: (one) => one.columns.length },
        ],
        tables,
        'No tables are served.',
      )
      element.replaceChildren(table && table.schema !== null ? browser(table, table.schema) : list)
      isOpen = true
    },
  }
}

function browser(table: TableInfo, schema: string): HTMLElement {
  const address = `/rest/v1/${encodeURIComponent(table.shownName)}`
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
      const path = `${address}?${query}${state.filter === '' ? '' : `&${state.filter}`}`
      const answer = await askAs('GET', path, undefined, {
        'Accept-Profile': schema,
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
      await askAs(method, `${address}?${key.join('&')}`, body, { 'Content-Profile': schema })
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
