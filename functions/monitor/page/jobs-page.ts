import { ask, askAs } from './ask.ts'
import { badge, card, count, dateTime, h, ms, section, tableOf } from './dom.ts'
import { openDialog } from './open-dialog.ts'
import type { Page } from './page.ts'
import type { State } from './state.ts'

interface Job {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly created: string
  readonly due: string | null
  readonly finished: string | null
  readonly attempts: number
  readonly error: string | null
  readonly percent: number | null
  readonly note: string | null
}

/** A job that is asked for by itself. */
interface WholeJob extends Job {
  readonly queue: string
  readonly payload: unknown
  readonly steps: Readonly<Record<string, unknown>>
}

const jobsShown = 25

const states = ['dead', 'waiting', 'held', 'sent', 'running', 'done', 'cancelled'] as const
/** What is no longer on its way. */
const over = new Set(['done', 'cancelled', 'dead'])

export function jobsPage(): Page {
  let state: string = 'dead'
  /** Where each page that was left began; the last is the one that is shown. */
  let pages: (string | null)[] = [null]
  const cards = h('div', { class: 'cards' })
  const list = h('div')
  const choice = h(
    'select',
    {
      'aria-label': 'State',
      onchange: () => {
        state = choice.value
        pages = [null]
        void refresh()
      },
    },
    ...states.map((name) => h('option', { value: name }, name === 'dead' ? 'dead letters' : name)),
  )
  const order = async (method: string, id: string, what: string) => {
    await askAs(method, `/jobs/v1/jobs/${encodeURIComponent(id)}${what}`)
    await refresh()
  }
  const retryAll = async (name: string) => {
    const answer = await askAs('GET', `/jobs/v1/jobs?limit=1000&state=dead&name=${encodeURIComponent(name)}`)
    const { jobs } = (await answer.json()) as { jobs: Job[] }
    for (const { id } of jobs) await askAs('POST', `/jobs/v1/jobs/${encodeURIComponent(id)}/retry`)
    await refresh()
  }
  const turn = (button: string, to: (string | null)[] | null) =>
    h(
      'button',
      {
        type: 'button',
        disabled: to === null,
        onclick: () => {
          pages = to ?? pages
          void refresh()
        },
      },
      button,
    )
  const refresh = async () => {
    const after = pages.at(-1) ?? null
    const [now, answer] = await Promise.all([
      ask<State>('/state'),
      askAs(
        'GET',
        `/jobs/v1/jobs?limit=${jobsShown}&state=${state}${after === null ? '' : `&after=${after}`}`,
      ),
    ])
    const { jobs, next } = (await answer.json()) as { jobs: Job[]; next: string | null }
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
          {
            title: 'Job',
            cell: (job) =>
              h(
                'button',
                {
                  type: 'button',
                  class: 'link one-line',
                  title: job.id,
                  onclick: () => void showJob(job.id),
                },
                job.name,
              ),
          },
          {
            title: 'State',
            cell: (job) =>
              badge(job.state, job.state === 'dead' ? 'bad' : job.state === 'done' ? 'good' : 'plain'),
          },
          { title: 'Sent', cell: ({ created }) => h('span', { class: 'one-line' }, dateTime(created)) },
          {
            title: 'Ended, or due',
            cell: ({ finished, due }) => h('span', { class: 'one-line' }, timeOf(finished ?? due)),
          },
          { title: 'Tries', isNumber: true, cell: ({ attempts }) => attempts },
          {
            title: 'Progress or last error',
            cell: ({ error, percent, note }) =>
              error
                ? h('code', { class: 'wide' }, error.split('\n', 1)[0]?.slice(0, 300))
                : percent === null
                  ? '–'
                  : `${count(percent)} %${note ? `: ${note}` : ''}`,
          },
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
      h(
        'div',
        { class: 'pager' },
        turn('Newer', pages.length > 1 ? pages.slice(0, -1) : null),
        turn('Older', next === null ? null : [...pages, next]),
        ...(state === 'dead'
          ? [...new Set(jobs.map(({ name }) => name))].map((name) =>
              h('button', { type: 'button', onclick: () => void retryAll(name) }, `Retry all of ${name}`),
            )
          : []),
      ),
    )
  }
  return { element: h('div', {}, cards, section('Jobs', choice, list)), refresh }
}

const timeOf = (at: string | null) => (at === null ? '–' : dateTime(at))

/** What is known of a job, and what it was asked to do. */
async function showJob(id: string): Promise<void> {
  const answer = await askAs('GET', `/jobs/v1/jobs/${encodeURIComponent(id)}`)
  const job = (await answer.json()) as WholeJob
  const steps = Object.entries(job.steps)
  const facts: readonly (readonly [string, string])[] = [
    ['Id', job.id],
    ['State', job.state],
    ['Queue', job.queue],
    ['Sent', timeOf(job.created)],
    ['Due', timeOf(job.due)],
    ['Ended', timeOf(job.finished)],
    ['Tries', String(job.attempts)],
    ['Progress', job.percent === null ? '–' : `${count(job.percent)} %${job.note ? `: ${job.note}` : ''}`],
  ]
  const part = (title: string, ...children: readonly HTMLElement[]) =>
    children.length === 0 ? [] : [h('h3', {}, title), ...children]
  const dialog: HTMLDialogElement = openDialog(
    job.name,
    h('dl', {}, ...facts.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])),
    ...(job.error ? part('Last error', h('pre', {}, job.error)) : []),
    ...part('Payload', h('pre', {}, JSON.stringify(job.payload, null, 2))),
    ...part(
      'Steps that are done',
      ...steps.map(([name, result]) => h('pre', {}, `${name}: ${JSON.stringify(result)}`)),
    ),
    h('button', { type: 'button', onclick: () => dialog.close() }, 'Close'),
  )
}
