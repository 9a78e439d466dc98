import { ask } from './ask.ts'
import { badge, bytes, count, h, section, tableOf } from './dom.ts'
import { byLabel, readPoints } from './measures.ts'
import type { Page } from './page.ts'
import type { State } from './state.ts'

const slotCount = 16_384

export function shardsPage(): Page {
  const picture = h('div', { class: 'slots', role: 'img', 'aria-label': 'Which database owns which slots' })
  const table = h('div')
  return {
    element: h('div', {}, section('Slots', picture), section('Databases', table)),
    async refresh() {
      const [state, { points }] = await Promise.all([ask<State>('/state'), readPoints(10, 3600)])
      const ranges = state.databases
        .flatMap(({ database, slots }, i) => slots.map((range) => ({ ...range, database, i })))
        .sort((a, b) => a.first - b.first)
      picture.replaceChildren(
        ...ranges.map(({ first, last, database, i }) => {
          const part = h(
            'div',
            { class: `slot-range line-${(i % 4) + 1}`, title: `${database}: ${first} to ${last}` },
            database,
          )
          part.style.flexGrow = String((last - first + 1) / slotCount)
          return part
        }),
      )
      const [calls, read, written] = ['database_calls', 'database_rows_read', 'database_rows_written'].map(
        (family) => byLabel(points, family, 'database'),
      )
      table.replaceChildren(
        tableOf(
          [
            { title: 'Database', cell: ({ database }) => database },
            {
              title: 'State',
              cell: ({ bytes: size }) =>
                size === null ? badge('does not answer', 'bad') : badge('up', 'good'),
            },
            {
              title: 'Slots',
              isNumber: true,
              cell: ({ slots }) => count(slots.reduce((sum, { first, last }) => sum + last - first + 1, 0)),
            },
            { title: 'Size', isNumber: true, cell: ({ bytes: size }) => (size === null ? '–' : bytes(size)) },
            {
              title: 'Of 10 GB',
              isNumber: true,
              cell: ({ bytes: size }) => (size === null ? '–' : `${count(size / 1e8)} %`),
            },
            {
              title: 'Calls in this hour',
              isNumber: true,
              cell: ({ database }) => count(calls?.get(database) ?? 0),
            },
            { title: 'Rows read', isNumber: true, cell: ({ database }) => count(read?.get(database) ?? 0) },
            {
              title: 'Rows written',
              isNumber: true,
              cell: ({ database }) => count(written?.get(database) ?? 0),
            },
          ],
          state.databases,
          'There is no database.',
        ),
      )
    },
  }
}
