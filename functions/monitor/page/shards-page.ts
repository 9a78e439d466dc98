import type { ShownMove } from '../../shards/shown.ts'
import { ask, askAs } from './ask.ts'
import { conversionPart } from './conversion-part.ts'
import { badge, bytes, count, h, keepingFocus, section, tableOf } from './dom.ts'
import { byLabel, readPoints } from './measures.ts'
import { moveForms } from './move-forms.ts'
import { movesTable } from './moves-table.ts'
import type { Page } from './page.ts'
import type { State } from './state.ts'

const slotCount = 16_384

export function shardsPage(): Page {
  const picture = h('div', { class: 'slots', role: 'img', 'aria-label': 'Which database owns which slots' })
  const table = h('div')
  const moves = h('div')
  const forms = moveForms(() => refresh())
  const conversion = conversionPart()
  const moving = h('div', {}, section('Move slots', forms.element), section('Moves', moves))
  const refresh = async () => {
    const [state, { points }, answer] = await Promise.all([
      ask<State>('/state'),
      readPoints(10, 3600),
      askAs('GET', '/shards/v1/'),
    ])
    const shown = (await answer.json()) as { moves: readonly ShownMove[] }
    const isSharded = state.databases.length > 1
    moving.hidden = !isSharded
    forms.tell(state.databases.map(({ database }) => database))
    keepingFocus(moves, () => moves.replaceChildren(movesTable(shown.moves, refresh)))
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
          {
            title: '',
            cell: ({ database, slots }) =>
              isSharded
                ? turnsOf(database, slots.length > 0, database !== state.databases[0]?.database)
                : null,
          },
        ],
        state.databases,
        'There is no database.',
      ),
    )
    await conversion.refresh()
  }
  const turnsOf = (database: string, hasSlots: boolean, isShard: boolean) =>
    h(
      'span',
      { class: 'inline' },
      hasSlots ? h('button', { type: 'button', onclick: () => forms.drain(database) }, 'Drain') : null,
      !hasSlots && isShard
        ? h('button', { type: 'button', class: 'danger', onclick: () => forms.remove(database) }, 'Remove')
        : null,
    )
  return {
    element: h('div', {}, section('Slots', picture), section('Databases', table), conversion.element, moving),
    refresh,
  }
}
