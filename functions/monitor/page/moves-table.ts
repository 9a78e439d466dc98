/**
 * Moves of slots: how far they are, how fast, and what may be done about them.
 * @module
 */
import type { ShownMove } from '../../shards/shown.ts'
import { askAs } from './ask.ts'
import { confirmName } from './confirm-name.ts'
import { badge, count, h, ms, tableOf, time } from './dom.ts'

/** @param refresh called when a move has been turned */
export function movesTable(moves: readonly ShownMove[], refresh: () => Promise<void>): HTMLElement {
  return tableOf<ShownMove>(
    [
      {
        title: 'Slots',
        cell: ({ slots }) =>
          h('code', { class: 'one-line' }, slots.length > 24 ? `${slots.slice(0, 24)}…` : slots),
      },
      { title: 'From', cell: ({ from }) => from },
      { title: 'To', cell: ({ to }) => to },
      { title: 'State', cell: stateOf },
      { title: 'Done', cell: progressOf },
      { title: 'Rows', isNumber: true, cell: ({ rows }) => count(rows) },
      {
        title: 'Rows a second',
        isNumber: true,
        cell: ({ rowsPerSecond }) => (rowsPerSecond === null ? '–' : count(rowsPerSecond)),
      },
      { title: 'Behind', isNumber: true, cell: ({ lag, phase }) => (phase === null ? '–' : count(lag)) },
      {
        title: 'Expected end',
        cell: ({ expectedEnd }) => (expectedEnd === null ? '–' : time(Date.parse(expectedEnd))),
      },
      {
        title: 'Slots closed',
        isNumber: true,
        cell: ({ pauses }) =>
          pauses.count === 0 ? '–' : `${ms(pauses.longestMs)} at most, of ${count(pauses.count)}`,
      },
      { title: '', cell: (move) => turnsOf(move, refresh) },
    ],
    moves,
    'Nothing has moved.',
  )
}

function stateOf({ state, phase, error, strays, from }: ShownMove): HTMLElement {
  const kind = state === 'failed' || error !== null ? 'bad' : state === 'done' ? 'good' : 'plain'
  const text = phase === null || phase === state ? state : `${state}, ${phase}`
  return h(
    'span',
    {},
    badge(text, kind),
    error === null ? null : h('small', {}, ` ${error.slice(0, 300)}`),
    strays === 0 ? null : h('small', {}, ` ${count(strays)} rows are left on ${from}`),
  )
}

function progressOf({ done, state }: ShownMove): HTMLElement {
  const percent = Math.round(done * 100)
  return h(
    'span',
    { class: 'one-line' },
    h('progress', { max: 100, value: percent, 'aria-label': `${state}: ${percent} %` }),
    ` ${percent} %`,
  )
}

function turnsOf(move: ShownMove, refresh: () => Promise<void>): HTMLElement | null {
  if (move.phase === null) return null
  const turn = async (name: string) => {
    await askAs('POST', `/shards/v1/moves/${encodeURIComponent(move.id)}/${name}`)
    await refresh()
  }
  const own = move.back ?? move
  const button = (name: string, title: string) =>
    h(
      'button',
      {
        type: 'button',
        'data-key': `${move.id} ${name}`,
        onclick: () => void turn(name).catch(() => refresh()),
      },
      title,
    )
  return h(
    'span',
    { class: 'inline' },
    own.state === 'paused' ? button('resume', 'Resume') : null,
    own.state === 'waiting' || own.state === 'running' ? button('pause', 'Pause') : null,
    move.back === null && move.state !== 'cancelling'
      ? h(
          'button',
          {
            type: 'button',
            class: 'danger',
            'data-key': `${move.id} cancel`,
            onclick: () =>
              confirmName(
                'Cancel the move',
                `What has been handed over goes back to ${move.from}.`,
                move.to,
                () => turn('cancel'),
              ),
          },
          'Cancel',
        )
      : null,
  )
}
