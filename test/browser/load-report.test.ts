import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { root } from '../../functions/local/serve.ts'
import { measure } from '../load/tool/command.ts'
import { htmlOf } from '../load/tool/html-report.ts'
import type { Scenario } from '../load/tool/scenario.ts'
import { quietChromium } from '../support/chromium.ts'
import { startPlanted } from '../support/planted-server.ts'
import { findToolNamed } from '../support/system-tools.ts'

const executablePath = findToolNamed('Chromium')

const scenario: Scenario = {
  about: 'Two questions, one of them <b>bold</b>.',
  key: 'none',
  arrivals: { model: 'open', rate: 100 },
  journeys: [
    { weight: 3, steps: [{ name: 'short', ask: () => ({ path: '/' }) }] },
    { steps: [{ name: '</script><i>bold</i>', ask: () => ({ path: '/' }) }] },
  ],
  objectives: [{ p50Ms: 0.001 }, { failures: 0.5 }],
}

describe.runIf(executablePath !== null || process.env.CI)("a run's report", () => {
  it('is one page with tables and charts, that asks nobody for anything', async () => {
    const server = await startPlanted({ failEvery: 7 })
    const folder = mkdtempSync(join(tmpdir(), 'atoll-report-'))
    const browser = await chromium.launch({ executablePath: executablePath as string, args: quietChromium })
    try {
      const settings = {
        durationSeconds: 2,
        warmUpSeconds: 0,
        seed: 1,
        maxRequests: 1000,
        maxOutstanding: 100,
      }
      const target = { url: server.url, keys: {} }
      const report = await measure('two', scenario, target, {
        ...settings,
        arrivals: scenario.arrivals,
        timeoutMs: 5000,
      })
      const file = join(folder, 'report.html')
      writeFileSync(file, await htmlOf(report))
      const page = await browser.newPage({ viewport: { width: 1000, height: 900 } })
      const problems: string[] = []
      page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
      page.on('pageerror', (error) => problems.push(error.message))
      page.on('request', (request) => request.url().startsWith('file:') || problems.push(request.url()))
      await page.goto(`file://${file}`)
      await page.locator('canvas').nth(2).waitFor()
      expect(await page.locator('canvas').count()).toBe(3)
      expect(await page.locator('td', { hasText: '</script><i>bold</i>' }).count()).toBe(1)
      expect(await page.locator('td.missed').count()).toBe(1)
      expect(await page.locator('td', { hasText: 'status 500' }).count()).toBe(1)
      // Something is drawn: not all pixels of a chart are the same.
      const colors = await page
        .locator('canvas')
        .first()
        .evaluate((canvas: unknown) => {
          const { width, height, getContext } = canvas as HTMLCanvas
          const { data } = getContext.call(canvas, '2d').getImageData(0, 0, width, height)
          return new Set(
            Array.from({ length: data.length / 4 }, (_, i) => data.slice(4 * i, 4 * i + 4).join()),
          ).size
        })
      expect(colors).toBeGreaterThan(3)
      mkdirSync(join(root, '.wrangler', 'atoll', 'screenshots'), { recursive: true })
      await page.screenshot({
        path: join(root, '.wrangler/atoll/screenshots/load-report.png'),
        fullPage: true,
      })
      expect(problems).toEqual([])
    } finally {
      await browser.close()
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

/** What is asked of a canvas; the tests have no types of the browser. */
interface HTMLCanvas {
  readonly width: number
  readonly height: number
  readonly getContext: (kind: '2d') => {
    getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray }
  }
}
