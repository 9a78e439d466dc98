/**
 * `/_atoll/mail`: on the developer's machine, what would have been sent.
 * @module
 */
import { Hono } from 'hono'
import { type CaughtMail, caughtMails } from '../auth/area.ts'
import { errors } from './errors.ts'
import type { AtollEnv } from './services.ts'

/** Nobody needs a key: there is such a page only where messages are sent to nobody, on a machine's own address. */
export const caughtMailPage = new Hono<AtollEnv>({ strict: false })
  .use(async (c, next) => {
    if (!c.var.services.catchesMail) throw errors.invalidPath()
    await next()
  })
  .get('/', async (c) => c.html(pageOf(await mails(c.var.services))))
  .get('/json', async (c) => c.json(await mails(c.var.services)))

function mails({ cluster }: AtollEnv['Variables']['services']): Promise<readonly CaughtMail[]> {
  return caughtMails(cluster.open({ reads: false, seen: new Map() }))
}

function pageOf(all: readonly CaughtMail[]): string {
  const shown = all.map(
    ({ at, to, subject, text }) =>
      `<article><h2>${escaped(subject)}</h2><p class="quiet">${escaped(to)}, ${new Date(at).toISOString()}</p><pre>${linked(text)}</pre></article>`,
  )
  const body = shown.length > 0 ? shown.join('\n') : '<p class="quiet">Nothing has been sent yet.</p>'
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Mail that was caught</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/_atoll/dashboard.css">
</head>
<body>
<main>
<h1>Mail that was caught</h1>
${body}
</main>
</body>
</html>
`
}

function linked(text: string): string {
  return text
    .split(/(https?:\/\/\S+)/)
    .map((piece, i) => (i % 2 === 1 ? `<a href="${escaped(piece)}">${escaped(piece)}</a>` : escaped(piece)))
    .join('')
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
