import type { ShownAdvice } from '../shown.ts'
import { ask } from './ask.ts'
import { card, count, dollars, h, ms, section, tableOf } from './dom.ts'
import type { Page } from './page.ts'

interface Shape {
  readonly method: string
  readonly table: string
  readonly shape: string
  readonly calls: number
  readonly ms: number
  readonly rowsRead: number
  readonly rowsWritten: number
  readonly rowsReturned: number
  readonly dollars: number
  readonly sql: string | null
}

export function queriesPage(): Page {
  const element = h('div')
  return {
    element,
    async refresh() {
      const shapes = await ask<Shape[]>('/shapes?days=7')
      const bill = shapes.reduce((sum, shape) => sum + shape.dollars, 0)
      // A statement that somebody has opened stays open.
      const open = new Set(
        [...element.querySelectorAll('details[open]')].map((one) => one.getAttribute('data-key')),
      )
      element.replaceChildren(
        h(
          'div',
          { class: 'cards' },
          card('Rows read and written', dollars(bill), 'in seven days, at D1’s prices'),
          card('Request shapes', count(shapes.length)),
        ),
        tableOf<Shape>(
          [
            { title: 'Request', cell: (one) => shapeCell(one, open) },
            { title: 'Calls', isNumber: true, cell: ({ calls }) => count(calls) },
            { title: 'Time each', isNumber: true, cell: (one) => ms(one.ms / one.calls) },
            { title: 'Rows read each', isNumber: true, cell: (one) => count(one.rowsRead / one.calls) },
            {
              title: 'Read for a row returned',
              isNumber: true,
              cell: (one) => (one.rowsReturned === 0 ? '–' : count(one.rowsRead / one.rowsReturned)),
            },
            {
              title: 'Of the bill',
              isNumber: true,
              cell: (one) => (bill === 0 ? '–' : `${count((100 * one.dollars) / bill)} %`),
            },
          ],
          shapes,
          'Nothing was read from databases yet.',
        ),
      )
    },
  }
}

function shapeCell({ method, table, shape, sql }: Shape, open: ReadonlySet<string | null>): HTMLElement {
  const key = `${method} ${table} ${shape}`
  const text = h('code', {}, `${method} ${table}${shape === '' ? '' : `?${shape}`}`)
  return sql === null
    ? text
    : h('details', { 'data-key': key, open: open.has(key) }, h('summary', {}, text), h('pre', {}, sql))
}

export function advicePage(): Page {
  const found = h(
    'div',
    { 'aria-live': 'polite' },
    h('p', { class: 'quiet' }, 'Trying indexes on a copy of the data…'),
  )
  let isDone = false
  const look = async () => {
    const advice = await ask<ShownAdvice>('/advice?days=7')
    found.replaceChildren(shownAdvice(advice))
  }
  return {
    element: h(
      'div',
      {},
      h(
        'p',
        { class: 'quiet' },
        'Each index was tried on a copy of up to 20,000 rows of each table, and is shown only if the plan used it and at most half of the rows were read.',
      ),
      found,
      h('p', {}, h('button', { type: 'button', onclick: () => void look() }, 'Look again')),
    ),
    // It costs reading a sample: once, and when somebody asks.
    async refresh() {
      if (isDone) return
      isDone = true
      await look()
    },
  }
}

function shownAdvice({ indexes, unused, untried }: ShownAdvice): HTMLElement {
  return h(
    'div',
    {},
    ...(indexes.length === 0
      ? [h('p', {}, 'No index would help what was asked in the last seven days.')]
      : []),
    ...indexes.map(({ name, drizzle, sql, rowsRead, savedDollars, rowsWrittenMore, costDollars, shapes }) =>
      section(
        name,
        h(
          'div',
          { class: 'cards' },
          card('Rows read', `${count(rowsRead.before)} → ${count(rowsRead.after)}`, 'in seven days'),
          card('Saves', dollars(savedDollars)),
          card('Costs', dollars(costDollars), `${count(rowsWrittenMore)} rows written more`),
        ),
        h('p', {}, 'In ', h('code', {}, 'db/app/schema.ts'), ':'),
        h('pre', {}, drizzle),
        h('p', {}, 'Which is:'),
        h('pre', {}, sql),
        tableOf(
          [
            {
              title: 'Helps',
              cell: ({ method, table, shape }) => h('code', {}, `${method} ${table}?${shape}`),
            },
            { title: 'Calls', isNumber: true, cell: ({ calls }) => count(calls) },
            {
              title: 'Rows read each',
              isNumber: true,
              cell: ({ before, after }) => `${count(before)} → ${count(after)}`,
            },
          ],
          shapes,
          '',
        ),
      ),
    ),
    unused.length === 0
      ? null
      : section(
          'Indexes that nothing used',
          tableOf(
            [
              { title: 'Index', cell: ({ name }) => h('code', {}, name) },
              { title: 'Table', cell: ({ table }) => table },
              { title: 'Columns', cell: ({ columns }) => columns.join(', ') },
            ],
            unused,
            '',
          ),
        ),
    untried === 0
      ? null
      : h(
          'p',
          { class: 'quiet' },
          `${untried} statements could not be run on the copy: those that search full texts.`,
        ),
  )
}
