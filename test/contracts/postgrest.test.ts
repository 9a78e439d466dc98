import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { root } from '../../functions/local/serve.ts'
import { type ConformanceServer, type SuiteConfig, startConformance } from './postgrest/conformance-server.ts'
import { declined } from './postgrest/declined.ts'
import { spreadable } from './postgrest/spread-rows.ts'

/** PostgREST's own cases are not part of this project; where they lie beside it, they are run. */
const folder = join(root, '..', 'shared', 'postgrest')
const present = existsSync(join(folder, 'cases.json'))

interface Case {
  readonly id: string
  readonly config: SuiteConfig
  readonly feasible: 'yes' | 'maybe'
  readonly tables: readonly string[]
}

const scratch = mkdtempSync(join(tmpdir(), 'atoll-cases-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const isDeclined = ({ id }: Case) => Object.keys(declined).some((prefix) => id.startsWith(prefix))

describe.runIf(present)("PostgREST's own cases", () => {
  const cases: Case[] = present ? JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) : []
  /** Of all cases on one database, configured anew for each group. */
  let server: Promise<ConformanceServer> | undefined
  afterAll(async () => (await server)?.stop())
  const byConfig = Map.groupBy(cases, (entry) => JSON.stringify(entry.config))

  it('are declined only where they are a judgement', () => {
    expect(cases.length).toBeGreaterThan(400)
    expect(cases.filter((entry) => isDeclined(entry) && entry.feasible !== 'maybe')).toEqual([])
  })

  it.each([...byConfig])(
    'pass with %s',
    async (config, group) => {
      const chosen = group.filter((entry) => !isDeclined(entry))
      const file = join(scratch, 'cases.json')
      writeFileSync(file, JSON.stringify(chosen))
      server ??= startConformance(folder)
      const { base, reset, configure } = await server
      await configure(JSON.parse(config) as SuiteConfig)
      const { output } = await run(base, reset, file)
      expect(output).toContain(`${chosen.length} passed, 0 failed`)
    },
    300_000,
  )

  it('pass on four databases as well, but for writes that cannot be atomic there', async () => {
    const spread = spreadable(readFileSync(join(folder, 'schema.sql'), 'utf8'))
    const chosen = cases.filter(
      (entry) =>
        JSON.stringify(entry.config) === '{}' &&
        !isDeclined(entry) &&
        entry.tables.length > 0 &&
        entry.tables.every((table) => spread.includes(table)),
    )
    expect(chosen.length).toBeGreaterThan(80)
    const file = join(scratch, 'spread.json')
    writeFileSync(file, JSON.stringify(chosen))
    const server = await startConformance(folder, 0, spread)
    try {
      const { output } = await run(server.base, server.reset, file)
      const failures = output.split(/^FAIL /m).slice(1)
      // Refused with what to do, as the documentation says.
      const refused = failures.filter((text) => /"code":"SHARD00[56]"/.test(text))
      expect(failures.filter((text) => !refused.includes(text))).toEqual([])
      expect(refused.length).toBeLessThan(25)
      expect(output).toContain(`${chosen.length - refused.length} passed`)
    } finally {
      await server.stop()
    }
  }, 300_000)
})

async function run(base: string, reset: string, file: string): Promise<{ output: string }> {
  const args = [
    '--base',
    base,
    '--reset',
    reset,
    '--cases',
    file,
    '--schema',
    'public',
    '--strip-base',
    '--feasible',
    'yes,maybe',
    '--verbose',
  ]
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'run-cases.mjs'), ...args], {
      maxBuffer: 2 ** 26,
    })
    return { output: stdout }
  } catch (error) {
    return { output: (error as { stdout?: string }).stdout ?? String(error) }
  }
}
