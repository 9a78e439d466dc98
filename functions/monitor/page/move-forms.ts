/**
 * What an operator asks of slots: what a rebalance would move, and moves of one's own choice.
 * @module
 */
import type { ShownPlan } from '../../shards/shown.ts'
import { askAs } from './ask.ts'
import { attempts } from './attempts.ts'
import { confirmName } from './confirm-name.ts'
import { bytes, count, h, ms, tableOf } from './dom.ts'

/** The forms; `tell` learns of the databases that there are. @param asked called when moves have been asked for */
export function moveForms(asked: () => Promise<void>) {
  const { failure, attempt } = attempts()
  const post = async (path: string, body: object) => {
    await askAs('POST', `/shards/v1${path}`, body)
    await asked()
  }

  // --- rebalance -------------------------------------------------------------------------------------------------------
  const by = h(
    'select',
    { name: 'by' },
    h('option', { value: 'bytes' }, 'what they hold'),
    h('option', { value: 'load' }, 'how busy they are'),
    h('option', { value: 'both' }, 'both'),
  )
  const threshold = h('input', {
    name: 'threshold',
    type: 'number',
    min: 1,
    max: 100,
    value: 10,
    class: 'short',
  })
  const planned = h('div', { 'aria-live': 'polite' })
  const part = () => Number(threshold.value) / 100
  const plan = () =>
    attempt(async () => {
      const answer = await askAs('GET', `/shards/v1/plan?by=${by.value}&threshold=${part()}`)
      const { moves } = (await answer.json()) as { moves: readonly ShownPlan[] }
      planned.replaceChildren(planTable(moves), ...(moves.length === 0 ? [] : [begin]))
    })
  const begin = h(
    'button',
    {
      type: 'button',
      onclick: () =>
        void attempt(async () => {
          await post('/rebalance', { by: by.value, threshold: part() })
          planned.replaceChildren()
        }),
    },
    'Rebalance',
  )
  const rebalance = h(
    'form',
    {
      class: 'inline',
      'aria-label': 'Rebalance',
      onsubmit: (event) => {
        event.preventDefault()
        void plan()
      },
    },
    h('label', {}, 'Until databases are alike by ', by),
    h('label', {}, ' within ', threshold, ' %'),
    h('button', { type: 'submit' }, 'Plan'),
  )

  // --- chosen slots ----------------------------------------------------------------------------------------------------
  const targets: HTMLSelectElement[] = []
  const targetOf = (first: string | null) => {
    const select = h('select', { name: 'to' }, first === null ? null : h('option', { value: '' }, first))
    targets.push(select)
    return select
  }
  const slots = h('input', { name: 'slots', placeholder: '0-99,200', required: true, class: 'slots-field' })
  const to = targetOf(null)
  const move = h(
    'form',
    {
      class: 'inline',
      'aria-label': 'Move',
      onsubmit: (event) => {
        event.preventDefault()
        void attempt(() => post('/moves', { slots: slots.value, to: to.value }))
      },
    },
    h('label', {}, 'Slots ', slots),
    h('label', {}, ' to ', to),
    h('button', { type: 'submit' }, 'Move'),
  )
  const value = h('input', { name: 'value', required: true })
  const home = targetOf('an empty one')
  const isolate = h(
    'form',
    {
      class: 'inline',
      'aria-label': 'Isolate',
      onsubmit: (event) => {
        event.preventDefault()
        void attempt(() =>
          post('/isolate', { value: value.value, ...(home.value ? { to: home.value } : {}) }),
        )
      },
    },
    h('label', {}, 'The slot of value ', value),
    h('label', {}, ' to ', home),
    h('button', { type: 'submit' }, 'Isolate'),
  )
  return {
    element: h('div', {}, failure, rebalance, planned, move, isolate),
    tell(databases: readonly string[]) {
      for (const select of targets) {
        const known = new Set([...select.options].map((option) => option.value))
        for (const name of databases) if (!known.has(name)) select.append(h('option', { value: name }, name))
      }
    },
    drain: (database: string) =>
      confirmName(`Drain ${database}`, 'All its slots go to the other databases.', database, () =>
        post('/drain', { database }),
      ),
    remove: (database: string) =>
      confirmName(
        `Remove ${database}`,
        'The map forgets it. It must have nothing left; its binding and the database itself stay until you take them away.',
        database,
        async () => {
          await askAs('DELETE', `/shards/v1/databases/${database}`)
          await asked()
        },
      ),
  }
}

function planTable(moves: readonly ShownPlan[]): HTMLElement {
  return tableOf<ShownPlan>(
    [
      { title: 'From', cell: ({ from }) => from },
      { title: 'To', cell: ({ to }) => to },
      { title: 'Slots', isNumber: true, cell: ({ slotCount }) => count(slotCount) },
      { title: 'About', isNumber: true, cell: (one) => bytes(one.bytes) },
      {
        title: 'Takes',
        isNumber: true,
        cell: ({ seconds }) => (seconds === null ? '?' : ms(seconds * 1000)),
      },
      { title: 'Slots closed', isNumber: true, cell: ({ longestPauseMs }) => ms(longestPauseMs) },
    ],
    moves,
    'Nothing is worth moving.',
  )
}
