/**
 * The dashboard: signs in, and shows the page that the address names.
 * @module
 */
import { Refused, SignedOut, signIn, signOut } from './ask.ts'
import { backupsPage } from './backups-page.ts'
import { h } from './dom.ts'
import { eventsPage } from './events-page.ts'
import { filesPage } from './files-page.ts'
import { jobsPage } from './jobs-page.ts'
import { originsPage } from './origins-page.ts'
import { cachePage, overviewPage } from './overview-page.ts'
import type { Page } from './page.ts'
import { advicePage, queriesPage } from './queries-page.ts'
import { shardsPage } from './shards-page.ts'
import { tablesPage } from './tables-page.ts'

const pages: Readonly<Record<string, { readonly title: string; open(rest: readonly string[]): Page }>> = {
  overview: { title: 'Overview', open: overviewPage },
  shards: { title: 'Shards', open: shardsPage },
  tables: { title: 'Tables', open: tablesPage },
  cache: { title: 'Cache', open: cachePage },
  jobs: { title: 'Jobs', open: jobsPage },
  files: { title: 'Files', open: filesPage },
  backups: { title: 'Backups', open: backupsPage },
  origins: { title: 'Origins', open: originsPage },
  queries: { title: 'Slow queries', open: queriesPage },
  advice: { title: 'Advice', open: advicePage },
  events: { title: 'Events', open: eventsPage },
}
const refreshMs = 3000
const app = document.getElementById('app') as HTMLElement
let timer: ReturnType<typeof setTimeout> | undefined
let opened = 0

async function show(): Promise<void> {
  clearTimeout(timer)
  const turn = ++opened
  const [name = 'overview', ...rest] = location.hash
    .replace(/^#\/?/, '')
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent)
  const chosen = Object.hasOwn(pages, name) ? name : 'overview'
  const entry = pages[chosen] as (typeof pages)[string]
  const page = entry.open(rest)
  const failure = h('p', { class: 'failure', role: 'alert', hidden: true })
  app.replaceChildren(
    h(
      'a',
      {
        class: 'skip',
        href: '#main',
        onclick: (event) => {
          event.preventDefault()
          document.getElementById('main')?.focus()
        },
      },
      'To the page',
    ),
    navigation(chosen),
    h('main', { id: 'main', tabindex: -1 }, h('h1', {}, entry.title), failure, page.element),
  )
  document.title = `${entry.title} – Atoll`
  // On a phone the links are a row that is longer than the screen.
  app.querySelector('nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' })
  const turnOver = async (): Promise<void> => {
    try {
      await page.refresh?.()
      failure.hidden = true
    } catch (error) {
      if (turn !== opened) return
      if (error instanceof SignedOut) return showSignIn()
      failure.textContent = error instanceof Refused ? error.message : `The server does not answer: ${error}`
      failure.hidden = false
    }
    if (turn === opened) timer = setTimeout(() => void turnOver(), refreshMs)
  }
  await turnOver()
}

function navigation(current: string): HTMLElement {
  const links = Object.entries(pages).map(([name, { title }]) =>
    h('a', { href: `#/${name}`, 'aria-current': name === current ? 'page' : null }, title),
  )
  const leave = async () => {
    await signOut()
    showSignIn()
  }
  return h(
    'nav',
    { 'aria-label': 'Pages' },
    h('span', { class: 'brand' }, 'Atoll'),
    ...links,
    h('button', { type: 'button', class: 'link', onclick: () => void leave() }, 'Sign out'),
  )
}

function showSignIn(): void {
  opened++
  clearTimeout(timer)
  const failure = h('p', { class: 'failure', role: 'alert', hidden: true })
  const field = h('input', {
    id: 'key',
    type: 'password',
    name: 'key',
    autocomplete: 'current-password',
    required: true,
  })
  const enter = async (event: Event) => {
    event.preventDefault()
    try {
      await signIn(field.value)
      await show()
    } catch (error) {
      failure.textContent = error instanceof SignedOut ? 'That is not the secret key.' : String(error)
      failure.hidden = false
    }
  }
  app.replaceChildren(
    h(
      'main',
      { class: 'door' },
      h('h1', {}, 'Atoll'),
      h(
        'form',
        { onsubmit: (event) => void enter(event) },
        h('label', { for: 'key' }, 'Secret key'),
        field,
        failure,
        h('button', { type: 'submit' }, 'Sign in'),
      ),
    ),
  )
  field.focus()
}

addEventListener('hashchange', () => void show())
void show()
