/**
 * Copies the documentation page's script and style out of their package, for the Worker's static assets.
 * Run by the build step of `wrangler.toml` and by `npm run dev`.
 * @module
 */
import { copyFileSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const files = ['swagger-ui-bundle.js', 'swagger-ui.css']

export function copyAssets(root: string): void {
  const from = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
  const to = join(root, '.wrangler', 'atoll', 'assets', 'docs')
  mkdirSync(to, { recursive: true })
  for (const file of files) copyFileSync(join(from, file), join(to, file))
}

if (import.meta.main) copyAssets(join(import.meta.dirname, '..', '..'))
