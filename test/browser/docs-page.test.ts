import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../../functions/local/serve.ts'
import { quietChromium } from '../support/chromium.ts'
import { secretKey, startTestServer, type TestServer } from '../support/local-server.ts'
import { findToolNamed } from '../support/system-tools.ts'

const executablePath = findToolNamed('Chromium')

// Without Chromium these are left out, which `npm test` says; in CI the step before has failed already.
describe.runIf(executablePath !== null || process.env.CI)('the documentation page', () => {
  let server: TestServer
  let browser: Browser
  beforeAll(async () => {
    server = await startTestServer()
    browser = await chromium.launch({ executablePath: executablePath as string, args: quietChromium })
  })
  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  it('shows what anybody may do, without errors and without asking other hosts', async () => {
    const page = await browser.newPage()
    const problems: string[] = []
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('request', (request) => {
      if (!request.url().startsWith(server.address) && !request.url().startsWith('data:'))
        problems.push(request.url())
    })
    await page.goto(`${server.address}/docs`)
    await page.locator('#operations-tag-genres').waitFor()
    expect(await page.locator('#operations-tag-invoice_items').count()).toBe(0)
    await page.locator('#operations-tag-albums').click()
    const read = page.locator('#operations-albums-get_albums')
    await read.getByText('Rows of albums').click()
    await read.getByText('A filter such as eq.… on title').waitFor()
    await read.getByText('Try it out').click()
    await read.getByRole('button', { name: 'Execute' }).click()
    await read.getByText('artist_id').first().waitFor()
    await read.locator('.live-responses-table .response-col_status', { hasText: '200' }).first().waitFor()
    const shots = join(root, '.wrangler', 'atoll', 'screenshots')
    mkdirSync(shots, { recursive: true })
    await page.screenshot({ path: join(shots, 'docs.png') })
    expect(problems).toEqual([])
    await page.close()
  })

  it('shows whoever authorizes what they may do, and forgets a key that is refused', async () => {
    const page = await browser.newPage()
    await page.goto(`${server.address}/docs`)
    await page.locator('#operations-tag-genres').waitFor()
    // What is shown is asked for anew at once, and the dialog is gone.
    const press = async (button: string, key?: string) => {
      await page.locator('.schemes button.authorize').click()
      const dialog = page.locator('.modal-ux')
      if (key !== undefined) await dialog.locator('input').fill(key)
      await dialog
        .getByRole('button', { name: button })
        .or(dialog.getByText(button, { exact: true }))
        .last()
        .click()
      await dialog.waitFor({ state: 'detached' })
    }
    await press('Authorize', secretKey)
    await page.locator('#operations-tag-invoice_items').waitFor()
    await page.reload()
    await page.locator('#operations-tag-invoice_items').waitFor()
    await press('Logout')
    await page.locator('#operations-tag-genres').waitFor()
    await expect.poll(() => page.locator('#operations-tag-invoice_items').count()).toBe(0)
    await press('Authorize', 'sb_secret_other')
    await page.locator('#operations-tag-genres').waitFor()
    expect(await page.locator('#operations-tag-invoice_items').count()).toBe(0)
    expect(await page.evaluate(() => localStorage.getItem('authorized'))).toBeNull()
    await page.close()
  })
})
