/**
 * A project that is deployed quickly: a blank app on two databases, in the fixture's `wrangler.toml`.
 * @module
 */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { copyProject, type ProjectCopy } from '../project-copy.ts'

export function copySmallProject(): ProjectCopy {
  const project = copyProject()
  const app = join(project.folder, 'functions/app')
  rmSync(app, { recursive: true })
  cpSync(join(project.folder, 'functions/local/blank/functions/app'), app, { recursive: true })
  const toml = project
    .read('wrangler.toml')
    .replace(/\[\[d1_databases\]\]\nbinding = "SHARD_[23]"\n(?:\w+ = .*\n)*\n?/g, '')
  project.write('wrangler.toml', `${toml}\n[build]\ncommand = "node functions/local/build-assets.ts"\n`)
  return project
}
