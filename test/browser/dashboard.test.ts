/**
 * The dashboard in a browser: one file, as its tests follow each other on one server, which takes longer to start than most of them.
 * @module
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../../functions/local/serve.ts'
import { quietChromium } from '../support/chromium.ts'
import { secretKey, startTestServer, type TestServer } from '../support/local-server.ts'
import { type ScriptedOrigin, startOrigin } from '../support/scripted-origin.ts'
import { findToolNamed } from '../support/system-tools.ts'

const executablePath = findToolNamed('Chromium')
const shots = join(root, '.wrangler', 'atoll', 'screenshots')

describe.runIf(executablePath !== null || process.env.CI)('the dashboard', () => {
  let server: TestServer
  let browser: Browser
  let context: BrowserContext
  let page: Page
  let origins: readonly ScriptedOrigin[]
  const problems: string[] = []
  const own = { apikey: secretKey, 'Content-Type': 'application/json' }
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(server.address + path, { ...init, headers: { ...own, ...init.headers } })

  beforeAll(async () => {
    mkdirSync(shots, { recursive: true })
    origins = await Promise.all(['a', 'b'].map(startOrigin))
    server = await startTestServer({
      isWhole: true,
      isQuiet: true,
      entry: new URL('../support/dashboard-worker.ts', import.meta.url).pathname,
      variables: { ORIGIN_A: origins[0]?.url ?? '', ORIGIN_B: origins[1]?.url ?? '' },
    })
    browser = await chromium.launch({ executablePath: executablePath as string, args: quietChromium })
    context = await browser.newContext({ viewport: { width: 1280, height: 900 } })
    page = await context.newPage()
    page.on('console', (message) => {
      // What is refused is an answer of 400 or 401, which Chromium tells as an error.
      if (message.type() === 'error' && !/\b40[01]\b/.test(message.text()))
        problems.push(`${message.text()} ${message.location().url}`)
    })
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('request', (request) => {
      if (!request.url().startsWith(server.address) && !request.url().startsWith('data:'))
        problems.push(request.url())
    })
  }, 60_000)
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    for (const origin of origins ?? []) await origin.kill()
  })
  const shoot = (name: string) =>
    page.screenshot({ path: join(shots, `dashboard-${name}.png`), fullPage: true })
  const open = async (name: string, title: string) => {
    await page.getByRole('link', { name: title, exact: true }).click()
    await page.getByRole('heading', { level: 1, name: title }).waitFor()
    expect(page.url()).toContain(`#/${name}`)
  }

  /** In light at 1440 pixels and in the dark at 390; nothing is wider than that. */
  const shootBoth = async (name: string) => {
    for (const [width, scheme] of [
      [1440, 'light'],
      [390, 'dark'],
    ] as const) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme: scheme })
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
      await shoot(`${name}-${width}`)
    }
    await page.setViewportSize({ width: 1280, height: 900 })
    await page.emulateMedia({ colorScheme: null })
  }

  it('lets in who has the secret key, and nobody else', async () => {
    await page.goto(`${server.address}/_atoll`)
    await page.getByLabel('Secret key').fill('sb_secret_wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('That is not the secret key.').waitFor()
    await page.getByLabel('Secret key').fill(secretKey)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
    const cookies = await context.cookies(`${server.address}/_atoll`)
    expect(cookies).toHaveLength(1)
    expect(cookies[0]).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/_atoll' })
    expect(await page.evaluate('document.cookie')).toBe('')
  })

  it('refuses pages from elsewhere, and who has not signed in', async () => {
    const [cookie] = await context.cookies(`${server.address}/_atoll`)
    const signedIn = { cookie: `${cookie?.name}=${cookie?.value}` }
    const path = '/_atoll/api/as-secret/rest/v1/genres?id=eq.1'
    const patch = (headers: Record<string, string>) =>
      fetch(server.address + path, { method: 'PATCH', body: '{"name":"x"}', headers })
    expect((await patch({})).status).toBe(401)
    expect((await patch(signedIn)).status).toBe(403)
    expect(
      (await patch({ ...signedIn, 'X-Atoll-Dashboard': '1', 'Sec-Fetch-Site': 'cross-site' })).status,
    ).toBe(403)
    expect((await fetch(`${server.address}/_atoll/api/state`)).status).toBe(401)
    expect(
      (await fetch(`${server.address}/_atoll/api/state`, { headers: { cookie: 'atoll-dashboard=x' } }))
        .status,
    ).toBe(401)
    const strange = await fetch(`${server.address}/_atoll/api/as-secret/_atoll/session`, {
      headers: { ...signedIn },
    })
    expect(strange.status).toBe(404)
    const policy = (await fetch(`${server.address}/_atoll`)).headers.get('content-security-policy')
    expect(policy).toContain("default-src 'none'; script-src 'self'")
  })

  it('shows numbers that move under load', async () => {
    const rate = page.locator('.card', { hasText: 'Requests a second' }).locator('strong')
    await rate.waitFor()
    let isOver = false
    const load = (async () => {
      for (let i = 0; !isOver; i++) await (await ask(`/rest/v1/tracks?id=eq.${1 + (i % 500)}`)).text()
    })()
    await expect.poll(async () => Number(await rate.textContent()), { timeout: 20_000 }).toBeGreaterThan(1)
    const seen = Number(await rate.textContent())
    await expect.poll(async () => Number(await rate.textContent()), { timeout: 20_000 }).toBeGreaterThan(seen)
    isOver = true
    await load
    await page.locator('.u-over').first().waitFor()
    await page.getByRole('cell', { name: 'tracks' }).first().waitFor()
    await page.getByText('Service levels').waitFor()
    await shoot('overview')
  })

  it('shows which database owns which slots', async () => {
    await open('shards', 'Shards')
    await expect.poll(() => page.locator('.slot-range').count()).toBe(4)
    await page.getByRole('cell', { name: 'SHARD_3' }).waitFor()
    await shoot('shards')
  })

  it('edits a row through the data API', async () => {
    await open('tables', 'Tables')
    await page.getByRole('link', { name: 'genres' }).click()
    await page.getByLabel('Column').selectOption('name')
    await page.getByLabel('Comparison').selectOption('like')
    await page.getByLabel('Value').fill('R*')
    await page.getByRole('button', { name: 'Filter' }).click()
    await expect.poll(() => page.getByRole('button', { name: 'Edit' }).count()).toBeGreaterThan(0)
    const [before] = (await (await ask('/rest/v1/genres?name=like.R*&order=id&limit=1')).json()) as {
      id: number
      name: string
    }[]
    await page.getByRole('button', { name: 'Edit' }).first().click()
    await page.locator('dialog input[name=name]').fill('Rocksteady <b>')
    await shoot('edit')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('cell', { name: 'Rocksteady <b>' }).waitFor()
    const [after] = (await (await ask(`/rest/v1/genres?id=eq.${before?.id}`)).json()) as { name: string }[]
    expect(after?.name).toBe('Rocksteady <b>')
    await page.getByRole('link', { name: 'All tables' }).click()
    await page.getByRole('link', { name: 'tracks', exact: true }).click()
    await page.getByText('1 to 50 of').waitFor()
    await page.getByRole('button', { name: 'Next' }).click()
    await page.getByText('51 to 100 of').waitFor()
    await page.getByRole('button', { name: 'milliseconds' }).click()
    await page.getByText('1 to 50 of').waitFor()
    await shoot('tables')
  })

  it('edits and deletes a row of a distributed table', async () => {
    const json = { 'Content-Type': 'application/json', Prefer: 'return=representation' }
    const sent = { customer_id: 7, invoice_date: '2026-01-01', total: 4321, billing_city: 'Bergen' }
    const made = await ask('/rest/v1/invoices', { method: 'POST', headers: json, body: JSON.stringify(sent) })
    const [{ id }] = (await made.json()) as [{ id: number }]
    await open('tables', 'Tables')
    await page.getByRole('link', { name: 'invoices', exact: true }).click()
    await page.getByLabel('Column').selectOption('total')
    await page.getByLabel('Value').fill('4321')
    await page.getByRole('button', { name: 'Filter' }).click()
    await expect.poll(() => page.getByRole('button', { name: 'Edit' }).count()).toBe(1)
    await page.getByRole('button', { name: 'Edit' }).click()
    await page.locator('dialog input[name=billing_city]').fill('Narvik')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('cell', { name: 'Narvik' }).waitFor()
    expect(await (await ask(`/rest/v1/invoices?id=eq.${id}&select=billing_city`)).json()).toEqual([
      { billing_city: 'Narvik' },
    ])
    page.once('dialog', (dialog) => void dialog.accept())
    await page.getByRole('button', { name: 'Edit' }).click()
    await page.getByRole('button', { name: /Delete/ }).click()
    await expect.poll(() => page.getByRole('button', { name: 'Edit' }).count()).toBe(0)
    expect(await (await ask(`/rest/v1/invoices?id=eq.${id}`)).json()).toEqual([])
  })

  it('retries a dead job', async () => {
    const sent = await ask('/jobs/v1/jobs', { method: 'POST', body: '{"name":"once-broken","input":{}}' })
    const { id } = (await sent.json()) as { id: string }
    await open('jobs', 'Jobs')
    await page.getByText('the printer is on fire').first().waitFor({ timeout: 20_000 })
    await shootBoth('jobs')
    await page.getByRole('button', { name: 'once-broken', exact: true }).click()
    const shown = page.getByRole('dialog', { name: 'once-broken' })
    await shown.getByText(id).waitFor()
    await shown.getByRole('button', { name: 'Close' }).click()
    await page.getByRole('button', { name: 'Retry', exact: true }).click()
    await expect
      .poll(async () => ((await (await ask(`/jobs/v1/jobs/${id}`)).json()) as { state: string }).state, {
        timeout: 20_000,
      })
      .toBe('done')
    await page.getByText('No dead letters.').waitFor()
  })

  it("changes an origin's weight", async () => {
    await (await ask('/shop/x')).text()
    await open('origins', 'Origins')
    const weight = page.getByLabel('Weight of a')
    await weight.fill('3')
    await page.getByRole('button', { name: 'Set' }).first().click()
    await page.getByText('declared: 1').waitFor()
    await expect
      .poll(
        async () => {
          const counts = { a: 0, b: 0 }
          for (let i = 0; i < 8; i++) counts[(await ask('/shop/x')).headers.get('x-origin') as 'a' | 'b']++
          return counts
        },
        { timeout: 15_000 },
      )
      .toEqual({ a: 6, b: 2 })
    await page.getByLabel('Mode of b').selectOption('draining')
    await page.locator('.badge', { hasText: 'draining' }).waitFor()
    await shoot('origins')
  })

  it('shows slow queries, and advises an index that helps', async () => {
    for (let i = 0; i < 5; i++)
      await (
        await ask('/rest/v1/tracks?composer=eq.Queen&order=name', {
          headers: { 'Cache-Control': 'no-cache' },
        })
      ).text()
    await open('queries', 'Slow queries')
    await page.getByText('GET tracks?composer=eq.…&order=name').waitFor({ timeout: 15_000 })
    await shoot('queries')
    await open('advice', 'Advice')
    await page.getByText("index('tracks_composer").waitFor({ timeout: 20_000 })
    await shoot('advice')
  })

  it('shows cache, files and events', async () => {
    await open('cache', 'Cache')
    await page.locator('.card', { hasText: 'From the isolate' }).waitFor()
    await shoot('cache')
    await open('files', 'Files')
    await page.getByRole('link', { name: 'covers' }).waitFor()
    await shoot('files')
    await open('events', 'Events')
    await page.getByText('job-dead').first().waitFor({ timeout: 15_000 })
    await page.getByText('the printer is on fire').first().click()
    await page.locator('details[open] pre').first().waitFor()
    await shootBoth('events')
  })

  it('fits a phone: pages are a few screens long at most, and the link to where one is is seen', async () => {
    const before = page.viewportSize()
    await page.setViewportSize({ width: 390, height: 844 })
    // More jobs than a page has.
    for (let i = 0; i < 40; i++) {
      await ask('/jobs/v1/jobs', {
        method: 'POST',
        body: '{"name":"once-broken","input":{},"delay_seconds":900}',
      })
    }
    await open('jobs', 'Jobs')
    await page.getByLabel('State').selectOption('waiting')
    await page.getByRole('button', { name: 'once-broken' }).nth(20).waitFor()
    await page.getByRole('button', { name: 'Older' }).click()
    await expect.poll(() => page.getByRole('button', { name: 'once-broken' }).count()).toBeLessThan(25)
    for (const [name, title] of [
      ['jobs', 'Jobs'],
      ['events', 'Events'],
      ['cache', 'Cache'],
    ] as const) {
      await open(name, title)
      const measured = (await page.evaluate(`(() => {
        const nav = document.querySelector('nav').getBoundingClientRect()
        const link = document.querySelector('nav [aria-current]').getBoundingClientRect()
        return { nav: nav.height, left: link.left, right: link.right, page: document.documentElement.scrollHeight }
      })()`)) as { nav: number; left: number; right: number; page: number }
      expect(measured.nav).toBeLessThan(80)
      expect(measured.left).toBeGreaterThanOrEqual(0)
      expect(measured.right).toBeLessThanOrEqual(390)
      expect(measured.page).toBeLessThan(844 * 5)
    }
    if (before) await page.setViewportSize(before)
  })

  it('says which tables wait to be converted, what that would do, and converts and cancels', {
    timeout: 120_000,
  }, async () => {
    const statusOf = async () =>
      (await (await ask('/shards/v1/conversion')).json()) as {
        conversion: { state: string } | null
        pending: { table: string; rows: number }[]
      }
    await open('shards', 'Shards')
    const part = page.locator('section', { hasText: 'Tables to be converted' })
    await part.getByRole('cell', { name: 'playlist_tracks' }).waitFor()
    await part.getByRole('button', { name: 'What converting would do' }).click()
    const plan = page.getByRole('dialog', { name: 'What converting would do' })
    await plan.locator('tr', { hasText: 'SHARD_3' }).waitFor()
    const waiting = (await statusOf()).pending
    const uncounted = await (await ask('/shards/v1/conversion?count=none')).json()
    expect(uncounted).toMatchObject({ pending: waiting.map(({ table }) => ({ table, rows: null })) })
    expect((await ask('/shards/v1/conversion?count=all')).status).toBe(400)
    expect(await plan.locator('tr', { hasText: 'playlists' }).textContent()).toContain(
      String(waiting.find(({ table }) => table === 'playlists')?.rows),
    )
    await shootBoth('conversion-plan')
    await plan.getByRole('button', { name: 'Close' }).click()
    await part.getByRole('button', { name: 'Convert', exact: true }).click()
    const sure = page.getByRole('dialog', { name: 'Convert tables' })
    const begin = sure.getByRole('button', { name: 'Convert tables' })
    await sure.getByRole('textbox').fill('tracks')
    expect(await begin.isDisabled()).toBe(true)
    await sure.getByRole('textbox').fill(waiting[0]?.table ?? '')
    await begin.click()
    const cancel = part.getByRole('button', { name: 'Cancel the conversion' })
    await cancel.waitFor()
    await shootBoth('conversion')
    await cancel.click()
    await part.getByText('cancelled', { exact: true }).waitFor({ timeout: 60_000 })
    expect((await statusOf()).pending).toHaveLength(2)
    await part.getByRole('button', { name: 'Convert', exact: true }).waitFor()
    // From here, where nobody has older code, nothing need be waited for.
    await ask('/shards/v1/conversion', { method: 'POST', body: '{"waitSeconds":0}' })
    await part.getByText('done', { exact: true }).waitFor({ timeout: 60_000 })
    await part.getByText('Every table lies where the code says.').waitFor()
    expect(await part.getByRole('button').count()).toBe(0)
    await shootBoth('converted')
  })

  it('makes, verifies, shows, restores, prunes and deletes backups', { timeout: 120_000 }, async () => {
    const ids = async () =>
      ((await (await ask('/backups/v1')).json()) as { backups: { id: string }[] }).backups.map(({ id }) => id)
    await open('backups', 'Backups')
    await page.getByText('There is no backup.').waitFor()
    const list = page.locator('section', { has: page.getByRole('heading', { name: 'Backups', level: 2 }) })
    const runs = page.locator('section', { hasText: 'What was asked for' })
    const rows = list.locator('tbody tr')
    await page.getByRole('button', { name: 'Create a backup' }).click()
    await runs.getByText(/waiting|running/).waitFor()
    await shootBoth('backup-runs')
    await rows.getByText('not verified').waitFor({ timeout: 60_000 })
    const [first = ''] = await ids()
    await rows.getByRole('button', { name: 'Verify' }).click()
    await rows.getByText('good', { exact: true }).waitFor({ timeout: 60_000 })
    await shootBoth('backups')

    await rows.getByRole('button', { name: 'Show' }).click()
    const summary = page.getByRole('dialog', { name: `Backup ${first}` })
    await summary.locator('tr', { hasText: 'customers' }).waitFor()
    await shootBoth('backup-summary')
    await summary.getByRole('button', { name: 'Close' }).click()

    await rows.getByRole('button', { name: 'Restore' }).click()
    const restore = page.getByRole('dialog', { name: `Restore ${first}` })
    await restore.getByRole('button', { name: 'Plan' }).click()
    await restore.getByText('In the way').waitFor()
    expect(await restore.getByRole('button', { name: 'Restore' }).count()).toBe(0)
    await shootBoth('backup-restore')
    const [item] = (await (await ask('/rest/v1/invoice_items?order=id&limit=1')).json()) as [{ id: number }]
    const path = `/rest/v1/invoice_items?id=eq.${item.id}`
    expect((await ask(path, { method: 'DELETE' })).status).toBe(204)
    await restore.getByLabel('Into').selectOption('beside')
    expect(await restore.getByText('In the way').count()).toBe(0)
    await restore.getByLabel('Tables, with commas').fill('invoice_items')
    await restore.getByRole('button', { name: 'Plan' }).click()
    await restore.getByRole('cell', { name: 'invoice_items' }).waitFor()
    await restore.getByRole('button', { name: 'Restore' }).click()
    const sure = page.getByRole('dialog', { name: 'Restore the backup' })
    await sure.getByRole('textbox').fill(first)
    await sure.getByRole('button', { name: 'Restore the backup' }).click()
    const restored = runs.locator('tr', { hasText: 'restore' })
    await restored.getByText('done', { exact: true }).waitFor({ timeout: 60_000 })
    expect(await (await ask(path)).json()).toEqual([item])

    await page.getByRole('button', { name: 'Create a backup' }).click()
    await expect.poll(() => rows.count(), { timeout: 60_000 }).toBe(2)
    await page.getByRole('button', { name: 'Prune' }).click()
    const prune = page.getByRole('dialog', { name: 'Prune backups' })
    await prune.getByLabel('monthly').fill('1')
    await prune.getByRole('button', { name: 'Plan' }).click()
    await prune.getByText(first).waitFor()
    expect(await ids()).toHaveLength(2)
    await shootBoth('backup-prune')
    await prune.getByRole('button', { name: 'Let them go' }).click()
    await expect.poll(() => rows.count()).toBe(1)
    const [last = ''] = await ids()
    expect(last).not.toBe(first)
    await rows.getByRole('button', { name: 'Delete' }).click()
    const remove = page.getByRole('dialog', { name: 'Delete the backup' })
    await remove.getByRole('textbox').fill(first)
    expect(await remove.getByRole('button', { name: 'Delete the backup' }).isDisabled()).toBe(true)
    await remove.getByRole('textbox').fill(last)
    await remove.getByRole('button', { name: 'Delete the backup' }).click()
    await page.getByText('There is no backup.').waitFor()
    expect(await ids()).toEqual([])
  })

  it('moves slots, tells how far they are, and asks for a name before what is dangerous', {
    timeout: 120_000,
  }, async () => {
    await page.setViewportSize({ width: 1440, height: 1000 })
    await open('shards', 'Shards')
    await page.getByRole('button', { name: 'Plan' }).click()
    await page
      .getByText('Nothing is worth moving.')
      .or(page.getByRole('button', { name: 'Rebalance' }))
      .waitFor()
    const move = page.getByRole('form', { name: 'Move' })
    const moved = (slots: string) => page.locator('tr', { hasText: slots })
    await move.getByLabel('Slots').fill('0-50')
    await move.locator('select[name=to]').selectOption('SHARD_3')
    await move.getByRole('button', { name: 'Move' }).click()
    await moved('0-50').getByText('done', { exact: true }).waitFor({ timeout: 30_000 })
    // What is no slot is refused where it was asked.
    await move.getByLabel('Slots').fill('99999')
    await move.getByRole('button', { name: 'Move' }).click()
    await page.getByText('The request to /shards/v1 is not understood').waitFor()
    // Ranges with gaps are pieces of their own: time to press buttons.
    await move.getByLabel('Slots').fill(Array.from({ length: 300 }, (_, i) => 4200 + 2 * i).join(','))
    await move.getByRole('button', { name: 'Move' }).click()
    const long = moved('4200,4202')
    await long.getByRole('button', { name: 'Pause' }).click()
    await long.getByText('paused').waitFor()
    await shoot('moves')
    await long.getByRole('button', { name: 'Resume' }).click()
    await long.getByRole('button', { name: 'Cancel' }).click()
    const cancel = page.getByRole('dialog', { name: 'Cancel the move' })
    const sure = cancel.getByRole('button', { name: 'Cancel the move' })
    expect(await sure.isDisabled()).toBe(true)
    await cancel.getByRole('textbox').fill('SHARD_1')
    expect(await sure.isDisabled()).toBe(true)
    await cancel.getByRole('textbox').fill('SHARD_3')
    await shoot('cancel')
    await sure.click()
    await long.getByText('cancelled', { exact: true }).waitFor({ timeout: 60_000 })
    await page
      .locator('tr', { hasText: /^SHARD_3/ })
      .getByRole('button', { name: 'Drain' })
      .click()
    const drain = page.getByRole('dialog', { name: 'Drain SHARD_3' })
    await drain.getByRole('textbox').fill('SHARD_3')
    await drain.getByRole('button', { name: 'Drain SHARD_3' }).click()
    const row = page.locator('tr', { hasText: /^SHARD_3/ })
    await shoot('drain')
    await row.getByRole('button', { name: 'Remove' }).click({ timeout: 60_000 })
    const remove = page.getByRole('dialog', { name: 'Remove SHARD_3' })
    await remove.getByRole('textbox').fill('SHARD_3')
    await remove.getByRole('button', { name: 'Remove SHARD_3' }).click()
    await expect.poll(() => remove.count()).toBe(0)
    await shoot('drained')
    const phone = await browser.newContext({
      viewport: { width: 390, height: 844 },
      colorScheme: 'dark',
      storageState: await context.storageState(),
    })
    const small = await phone.newPage()
    await small.goto(`${server.address}/_atoll#/shards`)
    await small.locator('progress').first().waitFor()
    expect(await small.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    await small.screenshot({ path: join(shots, 'dashboard-shards-phone.png'), fullPage: true })
    await phone.close()
    await page.setViewportSize({ width: 1280, height: 900 })
  })

  it('works on a phone, in the dark and with a keyboard', async () => {
    const phone = await browser.newContext({
      viewport: { width: 390, height: 844 },
      colorScheme: 'dark',
      storageState: await context.storageState(),
    })
    const small = await phone.newPage()
    await small.goto(`${server.address}/_atoll#/overview`)
    await small.locator('.card').first().waitFor()
    expect(await small.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    await small.screenshot({ path: join(shots, 'dashboard-phone.png') })
    await small.keyboard.press('Tab')
    expect(await small.evaluate('document.activeElement.textContent')).toBe('To the page')
    await phone.close()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Secret key').waitFor()
    expect(await context.cookies(`${server.address}/_atoll`)).toEqual([])
    expect(problems).toEqual([])
  })
})
