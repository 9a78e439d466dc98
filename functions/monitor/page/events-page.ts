import { ask } from './ask.ts'
import { badge, dateTime, h, keepingFocus } from './dom.ts'
import { groupEvents, type Noted } from './group-events.ts'
import type { Page } from './page.ts'

export function eventsPage(): Page {
  const element = h('div')
  /** What somebody has opened stays so when there is more to show. */
  const opened = new Set<string>()
  return {
    element,
    async refresh() {
      const groups = groupEvents(await ask<Noted[]>('/events'))
      keepingFocus(element, () => {
        if (groups.length === 0) {
          element.replaceChildren(h('p', { class: 'quiet' }, 'Nothing went wrong.'))
          return
        }
        element.replaceChildren(
          ...groups.map(({ key, kind, said, isGood, latest, count, examples }) => {
            const details = h(
              'details',
              { class: 'event', open: opened.has(key) },
              h(
                'summary',
                { 'data-key': key },
                badge(kind, isGood ? 'plain' : 'bad'),
                h('span', { class: 'said' }, said),
                h(
                  'small',
                  {},
                  count === 1 ? '' : `${count} times, last `,
                  dateTime(new Date(latest).toISOString()),
                ),
              ),
              ...examples.map(({ at, detail }) =>
                h('div', {}, h('small', {}, dateTime(new Date(at).toISOString())), h('pre', {}, detail)),
              ),
            )
            details.addEventListener('toggle', () => {
              if (details.open) opened.add(key)
              else opened.delete(key)
            })
            return details
          }),
        )
      })
    },
  }
}
