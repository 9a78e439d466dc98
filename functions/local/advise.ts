/**
 * `npm run advise`: index advice for what was asked lately, of a server that runs: this machine's, or one at `--url`.
 * @module
 */
import { parseArgs } from 'node:util'
import type { ShownAdvice } from '../monitor/shown.ts'
import { readSecretKey } from './keys.ts'
import { root } from './serve.ts'

const usage =
  'npm run advise -- [--url http://localhost:8787] [--days 7], with the secret key in ATOLL_SECRET_KEY or .dev.vars'

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://localhost:8787' },
    days: { type: 'string', default: '7' },
  },
})

function show({ indexes, unused, untried }: ShownAdvice): void {
  if (indexes.length === 0) console.log('No index would help what was asked.')
  for (const { name, table, drizzle, sql, rowsRead, savedDollars, costDollars, shapes } of indexes) {
    console.log(`\n${name} on ${table}: ${rowsRead.before} rows read would have been ${rowsRead.after}`)
    console.log(
      `  saves $${savedDollars.toPrecision(2)}, costs $${costDollars.toPrecision(2)} for what was written`,
    )
    console.log(`  ${drizzle}\n  ${sql}`)
    for (const { method, table: of, shape, calls, before, after } of shapes)
      console.log(`  ${method} ${of}?${shape}: ${calls} calls, ${before} rows read each, then ${after}`)
  }
  for (const { name, table, columns } of unused)
    console.log(`\n${name} on ${table} (${columns.join(', ')}): nothing used it`)
  if (untried > 0) console.log(`\n${untried} statements could not be tried: those that search full texts.`)
}

const key = readSecretKey(root)
try {
  if (key === undefined) throw new Error(`There is no secret key.\n  ${usage}`)
  const answer = await fetch(new URL(`/_atoll/api/advice?days=${values.days}`, values.url), {
    headers: { apikey: key },
  })
  const said = (await answer.json()) as ShownAdvice & { message?: string; hint?: string | null }
  if (!answer.ok) throw new Error([said.message, said.hint].filter(Boolean).join('. '))
  show(said)
} catch (error) {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
  console.error(`${error instanceof Error ? error.message : error} ${cause}`.trim())
  process.exitCode = 1
}
