import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { forkDuties } from '../../../functions/local/upgrade/changelog.ts'
import { planUpgrade, type UpgradeOptions } from '../../../functions/local/upgrade/plan-upgrade.ts'
import { type Tree, versionOf } from '../../../functions/local/upgrade/trees.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const tree = (files: Record<string, string | null>): Tree =>
  new Map(
    Object.entries(files)
      .filter(([, text]) => text !== null)
      .map(([path, text]) => [path, { text: text as string, isExecutable: false }]),
  )
const options: UpgradeOptions = { overwrite: false, commit: null, mergeText: () => null }
const json = (value: object) => `${JSON.stringify(value, null, 2)}\n`

const baseFiles = {
  'functions/gateway.ts': 'old',
  'functions/gone.ts': 'gone',
  'functions/mended.ts': 'a',
  'functions/app/config.ts': 'shipped',
  'db/app/migrations/0000_a.sql': 'shipped',
  'README.md': '# Atoll',
  '.gitignore': 'node_modules/\n',
  'package.json': json({
    name: 'atoll',
    version: '0.1.0',
    scripts: { dev: 'old', gone: 'x' },
    dependencies: { hono: '4.0.0', left: '1.0.0' },
  }),
}
const theirFiles = {
  ...baseFiles,
  'functions/app/config.ts': 'theirs',
  'db/app/migrations/0000_a.sql': 'theirs',
  'test/app/shop.test.ts': 'theirs',
  '.github/workflows/ci.yml': 'theirs',
  '.gitignore': 'node_modules/\nmine/\n',
  'package.json': json({
    name: 'shop',
    version: '3.1.4',
    scripts: { dev: 'old', gone: 'x', own: 'mine' },
    dependencies: { hono: '4.0.0', left: '1.0.0', stripe: '9.0.0' },
    homepage: 'https://shop.example.com',
  }),
}
const nextFiles = {
  ...baseFiles,
  'functions/gateway.ts': 'new',
  'functions/gone.ts': null,
  'functions/added.ts': "import webhooks from './app/webhooks.ts'\nimport config from './app/config.ts'",
  'functions/app/config.ts': 'shipped anew',
  'functions/app/sample.ts': 'sample',
  'functions/local/blank/functions/app/config.ts': 'blank',
  'functions/local/blank/functions/app/webhooks.ts': 'blank webhooks',
  'functions/local/blank/functions/app/sample.ts': 'blank sample',
  'README.md': '# Atoll\nnew',
  '.gitignore': 'node_modules/\n.wrangler/\n',
  'package.json': json({
    name: 'atoll',
    version: '0.2.0',
    scripts: { dev: 'new', upgrade: 'u' },
    dependencies: { hono: '4.1.0', zod: '4.0.0' },
  }),
}

describe('an upgrade', () => {
  const plan = planUpgrade(tree(baseFiles), tree(theirFiles), tree(nextFiles), options)
  const fileOf = (path: string) => plan.changes.find((change) => change.path === path)?.file?.text

  it('replaces what is Atoll’s and leaves what is theirs', () => {
    expect(plan.changes.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      'merged .gitignore',
      'replaced README.md',
      'added functions/added.ts',
      'added functions/app/webhooks.ts',
      'replaced functions/gateway.ts',
      'removed functions/gone.ts',
      'added functions/local/blank/functions/app/config.ts',
      'added functions/local/blank/functions/app/sample.ts',
      'added functions/local/blank/functions/app/webhooks.ts',
      'merged package.json',
    ])
    expect(plan.conflicts).toEqual([])
    expect(plan.notes).toEqual([
      'functions/app/webhooks.ts is new, and yours from now on: the engine reads it',
    ])
    expect(fileOf('functions/app/webhooks.ts')).toBe('blank webhooks')
    expect(fileOf('.gitignore')).toBe('node_modules/\nmine/\n.wrangler/\n')
  })

  it('merges package.json: their name, version, scripts and dependencies, and Atoll’s', () => {
    expect(JSON.parse(fileOf('package.json') ?? '')).toEqual({
      name: 'shop',
      version: '3.1.4',
      scripts: { dev: 'new', own: 'mine', upgrade: 'u' },
      dependencies: { hono: '4.1.0', zod: '4.0.0', stripe: '9.0.0' },
      homepage: 'https://shop.example.com',
      atoll: { version: '0.2.0' },
    })
  })

  it('keeps what they changed in Atoll’s files where both can stand, and stops where they cannot', () => {
    const versions: Record<string, string>[] = [
      { 'functions/a.ts': '1', 'functions/b.ts': '1', 'functions/c.ts': '1' },
      { 'functions/a.ts': '2', 'functions/b.ts': '2', 'functions/c.ts': '2' },
      { 'functions/a.ts': '1', 'functions/b.ts': '3' },
    ]
    const [base, theirs, next] = versions.map(tree) as [Tree, Tree, Tree]
    const stopped = planUpgrade(base, theirs, next, options)
    expect([stopped.changes, stopped.conflicts]).toEqual([[], ['functions/b.ts']])
    expect(stopped.notes).toEqual([
      "functions/a.ts stays as you changed it: Atoll's has not changed since",
      "functions/c.ts is no longer Atoll's; you have changed it, so it stays",
    ])
    const merged = planUpgrade(base, theirs, next, { ...options, mergeText: (...texts) => texts.join() })
    expect(merged.changes).toMatchObject([{ kind: 'merged', file: { text: '1,2,3' } }])
    const overwritten = planUpgrade(base, theirs, next, { ...options, overwrite: true })
    expect(overwritten.changes).toMatchObject([{ kind: 'replaced', file: { text: '3' } }])
  })

  it('without the fork’s version replaces all that is Atoll’s, and takes nothing of theirs away', () => {
    const files = { ...theirFiles, 'README.md': '# Shop', 'functions/mended.ts': 'mended' }
    const { changes, notes } = planUpgrade(null, tree(files), tree(nextFiles), options)
    expect(changes.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      'merged .gitignore',
      'added functions/added.ts',
      'added functions/app/webhooks.ts',
      'replaced functions/gateway.ts',
      'removed functions/gone.ts',
      'added functions/local/blank/functions/app/config.ts',
      'added functions/local/blank/functions/app/sample.ts',
      'added functions/local/blank/functions/app/webhooks.ts',
      'replaced functions/mended.ts',
      'merged package.json',
    ])
    expect(notes).toContain('README.md stays yours')
    expect(notes).toContain('package.json: scripts.dev is Atoll\'s "new"; yours was "old"')
    const merged = changes.find(({ path }) => path === 'package.json')?.file?.text ?? ''
    expect(JSON.parse(merged)).toMatchObject({
      name: 'shop',
      scripts: { dev: 'new', own: 'mine' },
      dependencies: { hono: '4.1.0', stripe: '9.0.0', left: '1.0.0' },
    })
  })

  it('that is done leaves nothing to do', () => {
    const after = new Map(tree(theirFiles))
    for (const { path, file } of plan.changes) {
      if (file === null) after.delete(path)
      else after.set(path, file)
    }
    expect(planUpgrade(tree(nextFiles), after, tree(nextFiles), options).changes).toEqual([])
  })
})

describe('a changelog', () => {
  // A fork may have a changelog of its own.
  it.runIf(versionOf(root).name === 'atoll')('says of the version that this is what a fork must do', () => {
    const shipped = readFileSync(join(root, 'CHANGELOG.md'), 'utf8')
    const { version } = versionOf(root)
    const [, newest] = /^## (\d+\.\d+\.\d+) \(\d{4}-\d\d-\d\d\)$/m.exec(shipped) ?? []
    expect(newest).toBe(version)
    expect(forkDuties(shipped, '0.1.0').map((duties) => duties.version)).toContain(version)
  })

  const changelog = `# Changelog

## Unreleased

- x

## 0.3.0 (2027-01-01)

### What a fork must do

- Run this.

### What is new

- y

## 0.2.1

### What a fork must do

- Rename that,
  and more.

## 0.2.0

### What a fork must do

- Earlier.
`

  it('tells what a fork must do for each version since its own', () => {
    expect(forkDuties(changelog, '0.2.0')).toEqual([
      { version: '0.3.0', lines: ['- Run this.'] },
      { version: '0.2.1', lines: ['- Rename that,', '  and more.'] },
    ])
    expect(forkDuties(changelog, '0.10.0')).toEqual([])
  })
})
