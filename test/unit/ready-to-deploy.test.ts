import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readRawConfig } from '../../db/doors/open-databases.ts'
import { makeKeys } from '../../functions/local/keys.ts'

const root = join(import.meta.dirname, '..', '..')
const config = readRawConfig(join(root, 'wrangler.toml'))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  name: string
  scripts: Record<string, string>
  cloudflare: { bindings: Record<string, { description: string }> }
}
const described = manifest.cloudflare.bindings
const secrets = [...readFileSync(join(root, '.dev.vars.example'), 'utf8').matchAll(/^(\w+)=(.*)$/gm)]

/** Every `binding` or `name` of a binding, wherever it stands outside of environments. */
function bindingsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(bindingsIn)
  if (typeof value !== 'object' || value === null) return []
  const { binding, name, class_name, namespace_id } = value as Record<string, unknown>
  const own = binding ?? (class_name === undefined && namespace_id === undefined ? undefined : name)
  return [...(typeof own === 'string' ? [own] : []), ...Object.values(value).flatMap(bindingsIn)]
}

/** A fork has as many as it likes. */
const isShard = (name: string) => /^SHARD_\d+$/.test(name)
/** A fork that has a name of its own says of itself what it likes. */
const isShipped = manifest.name === 'atoll'

/** By the rules of https://developers.cloudflare.com/workers/platform/deploy-buttons/ */
describe.runIf(isShipped)('a Deploy to Cloudflare button', () => {
  it('tells of every binding, variable and secret, and of no other', () => {
    const { env: _, ...outside } = config
    const wanted = [
      ...bindingsIn(outside),
      ...Object.keys(config.vars as object),
      ...secrets.map(([, name = '']) => name),
    ]
    const others = (names: readonly string[]) => [...new Set(names)].filter((name) => !isShard(name)).sort()
    expect(others(Object.keys(described))).toEqual(others(wanted))
    expect(Object.keys(described).filter(isShard)).toEqual(['SHARD_1', 'SHARD_2', 'SHARD_3'])
  })

  it('uses no more of Markdown than is shown', () => {
    for (const [name, { description }] of Object.entries(described)) {
      const plain = description.replaceAll(/`[^`]+`|\*\*[^*]+\*\*|__[^_]+__|\[[^\]]+\]\(https:[^)]+\)/g, '')
      expect(plain, name).toMatch(/^[^`*_[\]<>#\n]+\.?$/)
    }
  })

  it('asks for the keys, and offers none that others have, too', () => {
    expect(secrets.map(([, name]) => name)).toEqual(expect.arrayContaining(Object.keys(makeKeys())))
    expect(secrets.map(([, , value]) => value).join('')).toBe('')
  })

  it('deploys by a script of ours, and has nothing built before', () => {
    expect(manifest.scripts).toHaveProperty('deploy')
    expect(manifest.scripts).not.toHaveProperty('build')
  })
})

/** By https://developers.cloudflare.com/pages/get-started/c3/ and the source of create-cloudflare 2.74. */
describe.runIf(isShipped)('npm create cloudflare -- --template', () => {
  it('finds what it needs, and nothing that it would take for a variant or generate types for', () => {
    expect(existsSync(join(root, config.main as string))).toBe(true)
    expect(['js', 'ts'].filter((folder) => existsSync(join(root, folder)))).toEqual([])
    expect(manifest.scripts).not.toHaveProperty('cf-typegen')
  })

  it('adds no compatibility flag: from this date on Node compatibility is the default', () => {
    expect((config.compatibility_date as string) >= '2026-08-04').toBe(true)
    expect(config.compatibility_flags).not.toContain('nodejs_compat')
  })
})
