/**
 * Makes the Worker's static assets: the documentation page's script and style, out of their package, and the dashboard's.
 * Run by the build step of `wrangler.toml` and by `npm run dev`.
 * @module
 */
import { copyFileSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { buildSync } from 'esbuild'

const documentation = ['swagger-ui-bundle.js', 'swagger-ui.css']

export function buildAssets(root: string): void {
  const assets = join(root, '.wrangler', 'atoll', 'assets')
  const from = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
  mkdirSync(join(assets, 'docs'), { recursive: true })
  for (const file of documentation) copyFileSync(join(from, file), join(assets, 'docs', file))
  const page = join(root, 'functions', 'monitor', 'page')
  buildSync({
    entryPoints: { dashboard: join(page, 'main.ts') },
    outdir: join(assets, '_atoll'),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    legalComments: 'inline',
    logLevel: 'silent',
  })
  buildSync({
    entryPoints: { dashboard: join(page, 'dashboard.css') },
    outdir: join(assets, '_atoll'),
    bundle: true,
    minify: true,
    logLevel: 'silent',
  })
}

if (import.meta.main) buildAssets(join(import.meta.dirname, '..', '..'))
