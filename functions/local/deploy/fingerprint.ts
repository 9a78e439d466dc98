/**
 * What a deployment is made of, in a few characters: the tag of its version, by which the next run sees whether there is anything to deploy.
 * @module
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** Files and folders that a Worker is made of; of commands, only what makes its assets. */
const parts = ['db', 'functions', 'wrangler.toml', 'package-lock.json']
const leftOut =
  /^(?:functions\/local\/(?!build-assets\.ts$)|db\/(?:commands|doors|migrate)\/|db\/app\/seed)|\.md$/

/** At most 22 characters: a version's tag has few. */
export function fingerprintOf(root: string, env: string | null): string {
  const hash = createHash('sha256').update(env ?? '')
  for (const part of parts)
    for (const file of filesOf(root, part)) {
      hash.update(`\n${file}\n`).update(readFileSync(join(root, file)))
    }
  return `atoll-${hash.digest('hex').slice(0, 16)}`
}

function filesOf(root: string, part: string): string[] {
  if (/\.\w+$/.test(part)) {
    try {
      readFileSync(join(root, part))
      return [part]
    } catch {
      return []
    }
  }
  return readdirSync(join(root, part), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((file) => !leftOut.test(file))
    .sort()
}
