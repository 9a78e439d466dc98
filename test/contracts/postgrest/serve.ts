/**
 * `node test/contracts/postgrest/serve.ts FOLDER [--config JSON] [--port N] [--spread]`: serves the cases' schema until it is
 * interrupted, for running cases by hand.
 * @module
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type SuiteConfig, startConformance } from './conformance-server.ts'
import { spreadable } from './spread-rows.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    config: { type: 'string', default: '{}' },
    port: { type: 'string', default: '0' },
    spread: { type: 'boolean', default: false },
  },
})
const [folder] = positionals
if (folder === undefined) throw new Error('name the folder that holds schema.ts and schema.sql')
const server = await startConformance(
  resolve(folder),
  Number(values.port),
  values.spread ? spreadable(readFileSync(resolve(folder, 'schema.sql'), 'utf8')) : [],
)
await server.configure(JSON.parse(values.config) as SuiteConfig)
console.log(`--base ${server.base} --reset ${server.reset}`)
process.once('SIGINT', () => void server.stop().then(() => process.exit(0)))
process.once('SIGTERM', () => void server.stop().then(() => process.exit(0)))
