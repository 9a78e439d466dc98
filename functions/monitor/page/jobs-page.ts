import { ask, askAs } from './ask.ts'
import { badge, card, count, h, ms, section, tableOf } from './dom.ts'
import type { Page } from './page.ts'
import type { State } from './state.ts'

interface Job {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly attempts: number
  readonly error: string | null
}

const states = ['dead', 'waiting', 'held', 'sent', 'running', 'done', 'cancelled'] as const
/** What is no longer on its way. */
const over = new Set(['done', 'cancelled', 'dead'])

export function jobsPage(): Page {
  let state: string = 'dead'
  const cards = h('div', { class: 'cards' })
  const list = h('div')
  const choice = h(
    'select',
    {
      'aria-label': 'State',
      onchange: () => {
        state = choice.value
        void refresh()
      },
    },
    ...states.map((name) => h('option', { value: name }, name === 'dead' ? 'dead letters' : name)),
  )
  const order = async (method: string, id: string, what: string) => {
    await askAs(method, `/jobs/v1/jobs/${encodeURIComponent(id)}${what}`)
    await refresh()
  }
  const refresh = async () => {
    const [now, answer] = await Promise.all([
      ask<State>('/state'),
      askAs('GET', `/jobs/v1/jobs?limit=100&state=${state}`),
    ])
    const { jobs } = (await answer.json()) as { jobs: Job[] }
    const sums: Record<string, number> = {}
    for (const counts of Object.values(now.jobs ?? {}))
      for (const [name, n] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + n
    cards.replaceChildren(
      ...states.map((name) => card(name === 'dead' ? 'Dead letters' : name, count(sums[name] ?? 0))),
      card('Due the longest', now.oldestDue === null ? '–' : ms(Math.max(0, Date.now() - now.oldestDue))),
    )
    list.replaceChildren(
      tableOf<Job>(
        [
          { title: 'Job', cell: ({ name }) => name },
          {
            title: 'State',
            cell: (job) =>
              badge(job.state, job.state === 'dead' ? 'bad' : job.state === 'done' ? 'good' : 'plain'),
          },
          { title: 'Tries', isNumber: true, cell: ({ attempts }) => attempts },
          { title: 'Last error', cell: ({ error }) => (error ? h('code', {}, error.slice(0, 300)) : '–') },
          { title: 'Id', cell: ({ id }) => h('code', {}, id) },
          {
            title: '',
            cell: ({ id, state: is }) =>
              h(
                'span',
                { class: 'inline' },
                is === 'dead'
                  ? h('button', { type: 'button', onclick: () => void order('POST', id, '/retry') }, 'Retry')
                  : null,
                over.has(is)
                  ? h(
                      'button',
                      { type: 'button', class: 'danger', onclick: () => void order('DELETE', id, '') },
                      'Forget',
                    )
                  : h(
                      'button',
                      { type: 'button', class: 'danger', onclick: () => void order('POST', id, '/cancel') },
                      'Cancel',
                    ),
              ),
          },
        ],
        jobs,
        state === 'dead' ? 'No dead letters.' : 'None.',
      ),
    )
  }
  return { element: h('div', {}, cards, section('Jobs', choice, list)), refresh }
}
