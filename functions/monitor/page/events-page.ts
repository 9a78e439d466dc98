import { ask } from './ask.ts'
import { badge, h, tableOf, time } from './dom.ts'
import type { Page } from './page.ts'

interface Noted {
  readonly at: number
  readonly kind: string
  readonly text: string
}

export function eventsPage(): Page {
  const element = h('div')
  return {
    element,
    async refresh() {
      element.replaceChildren(
        tableOf(
          [
            { title: 'Time', cell: ({ at }) => time(at) },
            {
              title: 'Kind',
              cell: ({ kind }) => badge(kind, /recovered|well|swept/.test(kind) ? 'plain' : 'bad'),
            },
            { title: 'What', cell: ({ text }) => h('code', {}, text) },
          ],
          await ask<Noted[]>('/events'),
          'Nothing went wrong.',
        ),
      )
    },
  }
}
