import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import type { TableDeclarations } from '../../db/define.ts'

let loads = 0

/**
 * The app's tables as they are on disk now. Node keeps what it has imported, so each load bundles the files anew under
 * a name of its own.
 */
export async function loadTables(root: string): Promise<TableDeclarations> {
  const outfile = join(root, '.wrangler', 'atoll', `tables-${process.pid}-${loads++}.mjs`)
  await build({
    entryPoints: [join(root, 'db', 'app', 'tables.ts')],
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    outfile,
    logLevel: 'silent',
  })
  try {
    return ((await import(pathToFileURL(outfile).href)) as { default: TableDeclarations }).default
  } finally {
    rmSync(outfile)
  }
}
