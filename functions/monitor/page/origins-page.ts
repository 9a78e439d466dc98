import type { OriginView, PoolView } from '../../balancer/shown-pool.ts'
import { ask, askAs } from './ask.ts'
import { badge, count, h, ms, section, tableOf } from './dom.ts'
import type { Page } from './page.ts'
import type { State } from './state.ts'

export function originsPage(): Page {
  const element = h('div')
  let isEditing = false
  const refresh = async () => {
    const { pools } = await ask<State>('/state')
    // What somebody types is not taken away from under their hands.
    if (isEditing) return
    element.replaceChildren(
      ...(pools.length === 0
        ? [h('p', { class: 'quiet' }, 'No pools are declared in functions/app/origins.ts.')]
        : pools.map((pool) => poolSection(pool, change, (now) => (isEditing = now)))),
    )
  }
  const change = async (pool: string, origin: string, order: unknown) => {
    await askAs('PATCH', `/balancer/v1/pools/${pool}/origins/${origin}`, order)
    isEditing = false
    await refresh()
  }
  return { element, refresh }
}

type Change = (pool: string, origin: string, order: unknown) => Promise<void>

function poolSection(pool: PoolView, change: Change, onEdit: (isEditing: boolean) => void): HTMLElement {
  const strategy = typeof pool.strategy === 'string' ? pool.strategy : 'consistent hashing'
  return section(
    pool.name,
    h(
      'p',
      { class: 'quiet' },
      `${strategy}; seen by ${pool.isolates} isolate${pool.isolates === 1 ? '' : 's'} `,
      pool.isPanic ? badge('panic: everybody is tried', 'bad') : null,
      pool.broken > 0 ? badge(`breaker open in ${pool.broken}`, 'bad') : null,
    ),
    tableOf<OriginView>(
      [
        { title: 'Origin', cell: ({ name, url }) => h('span', { title: url }, name) },
        {
          title: 'State',
          cell: ({ state, problem, ejectedIn, ejectedFor }) =>
            h(
              'span',
              { title: [problem, ...ejectedFor].filter(Boolean).join('; ') },
              badge(
                ejectedIn > 0 ? `ejected in ${ejectedIn}` : state,
                state === 'up' ? 'good' : state === 'draining' || state === 'disabled' ? 'plain' : 'bad',
              ),
            ),
        },
        { title: 'Priority', isNumber: true, cell: ({ priority }) => priority },
        { title: 'Requests/s', isNumber: true, cell: ({ requestsPerSecond }) => count(requestsPerSecond) },
        { title: 'Errors/s', isNumber: true, cell: ({ errorsPerSecond }) => count(errorsPerSecond) },
        { title: 'Outstanding', isNumber: true, cell: ({ outstanding }) => count(outstanding) },
        { title: 'Peak EWMA', isNumber: true, cell: ({ latencyMs }) => ms(latencyMs) },
        { title: 'Weight', cell: (origin) => weightForm(pool.name, origin, change, onEdit) },
        { title: 'Mode', cell: (origin) => modeField(pool.name, origin, change) },
      ],
      pool.origins,
      '',
    ),
  )
}

function weightForm(
  pool: string,
  { name, weight, declaredWeight }: OriginView,
  change: Change,
  onEdit: (isEditing: boolean) => void,
): HTMLElement {
  const field = h('input', {
    type: 'number',
    min: 0,
    step: 'any',
    value: weight,
    'aria-label': `Weight of ${name}`,
    class: 'short',
    onfocus: () => onEdit(true),
    onblur: () => setTimeout(() => onEdit(false), 500),
  })
  return h(
    'form',
    {
      class: 'inline',
      onsubmit: (event) => {
        event.preventDefault()
        void change(pool, name, { weight: field.value === '' ? null : Number(field.value) })
      },
    },
    field,
    h('button', { type: 'submit' }, 'Set'),
    weight === declaredWeight ? null : h('small', {}, `declared: ${declaredWeight}`),
  )
}

function modeField(pool: string, { name, mode }: OriginView, change: Change): HTMLElement {
  const options = ['active', 'draining', 'disabled'].map((value) =>
    h('option', { value, selected: value === mode }, value),
  )
  return h(
    'select',
    {
      'aria-label': `Mode of ${name}`,
      onchange: (event) => void change(pool, name, { mode: (event.target as HTMLSelectElement).value }),
    },
    ...options,
  )
}
