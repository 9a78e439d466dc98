/**
 * `npm run dev`: migrates and seeds local D1 and serves the Worker, again after every change of its code.
 * @module
 */
import { watch } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import tables from '../../db/app/tables.ts'
import { buildCatalog, SchemaError } from '../../db/catalog/build-catalog.ts'
import { banner } from './banner.ts'
import { ensureLocalKeys } from './keys.ts'
import { prepareDatabases } from './prepare.ts'
import { type LocalServer, root, startLocal } from './serve.ts'
import { claimState, noteChildren, releaseState } from './state-lock.ts'

const usage = `npm run dev -- [--port 8787] [--persist-to DIR]`

function readArguments() {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '8787' }, 'persist-to': { type: 'string' } },
  })
  const port = Number(values.port)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`--port is no port: ${values.port}`)
  return { port, persistTo: resolve(values['persist-to'] ?? join(root, '.wrangler', 'state')) }
}

async function main(): Promise<void> {
  const { port, persistTo } = readArguments()
  buildCatalog(tables)
  const keys = ensureLocalKeys(join(root, '.dev.vars'))
  await claimState(persistTo)
  const server = await startLocal({ port, persistTo })
  noteChildren(persistTo)
  process.once('SIGINT', () => void stop(server, persistTo))
  process.once('SIGTERM', () => void stop(server, persistTo))
  const prepared = await prepareDatabases(server)
  console.log(banner(server.url, keys, prepared))
  reloadOnChange(server, persistTo)
}

async function stop(server: LocalServer, persistTo: string): Promise<void> {
  await server.stop()
  releaseState(persistTo)
  process.exit(0)
}

function reloadOnChange(server: LocalServer, persistTo: string): void {
  let timer: NodeJS.Timeout | undefined
  const changed = (_: string, file: string | null) => {
    if (!file || !/\.(ts|sql)$/.test(file)) return
    clearTimeout(timer)
    timer = setTimeout(() => void reload(server, persistTo), 150)
  }
  for (const folder of ['functions', 'db']) watch(join(root, folder), { recursive: true }, changed)
}

async function reload(server: LocalServer, persistTo: string): Promise<void> {
  try {
    await server.reload()
    noteChildren(persistTo)
    const { migrations } = await prepareDatabases(server)
    console.log(`reloaded${migrations.length > 0 ? `, applied ${migrations.join(', ')}` : ''}`)
  } catch (error) {
    console.error(`not reloaded: ${error instanceof Error ? error.message : error}`)
  }
}

try {
  await main()
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof SchemaError) console.error(message)
  else if (/EADDRINUSE|address already in use/i.test(message)) {
    console.error(`The port is taken. Choose another:\n  ${usage}`)
  } else console.error(`${message}\n  ${usage}`)
  process.exit(1)
}
