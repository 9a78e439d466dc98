import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import type { App } from '../engine.ts'

let loads = 0

/**
 * The app's files as they are on disk now. Node keeps what it has imported, so each load bundles the files anew under
 * a name of its own.
 */
export async function loadApp(root: string): Promise<App> {
  const outfile = join(root, '.wrangler', 'atoll', `app-${process.pid}-${loads++}.mjs`)
  await build({
    entryPoints: [join(root, 'functions', 'join-app.ts')],
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    outfile,
    logLevel: 'silent',
  })
  try {
    return ((await import(pathToFileURL(outfile).href)) as { app: App }).app
  } finally {
    rmSync(outfile)
  }
}
