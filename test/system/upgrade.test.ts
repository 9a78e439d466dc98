import { execFileSync, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../../functions/local/serve.ts'
import { isTheirs } from '../../functions/local/upgrade/plan-upgrade.ts'
import { git, readTree, type Tree, versionOf } from '../../functions/local/upgrade/trees.ts'

const folder = mkdtempSync(join(tmpdir(), 'atoll-upgrade-'))
/** Atoll's repository as it was, with a tag for the version that the fork is made of. */
const atoll = join(folder, 'atoll')
const fork = join(folder, 'fork')
const present = readTree(root)
const { version } = versionOf(root)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const read = (file: string) => readFileSync(join(fork, file), 'utf8')
const rewrite = (top: string, file: string, change: (text: string) => string) =>
  writeFileSync(join(top, file), change(readFileSync(join(top, file), 'utf8')))

function put(top: string, tree: Tree): void {
  for (const [path, { text, isExecutable }] of tree) {
    mkdirSync(dirname(join(top, path)), { recursive: true })
    writeFileSync(join(top, path), text, 'latin1')
    chmodSync(join(top, path), isExecutable ? 0o755 : 0o644)
  }
}

function commit(top: string, message: string): void {
  git(top, ['add', '--all'])
  git(top, ['commit', '--quiet', '-m', message])
}

function configure(top: string): void {
  for (const [name, value] of [
    ['user.name', 'Somebody'],
    ['user.email', 'somebody@example.com'],
    ['commit.gpgsign', 'false'],
  ] as const)
    git(top, ['config', name, value])
}

/** Runs the fork's own command. */
function upgrade(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['functions/local/upgrade.ts', ...args], {
    cwd: fork,
    encoding: 'utf8',
  })
  return { status, output: stdout + stderr }
}

/** What Atoll was: files that have changed since, one that is gone, and lacks of what is there now. */
function makeEarlier(): void {
  put(atoll, present)
  appendFileSync(join(atoll, 'functions', 'gateway.ts'), '// As it was.\n')
  writeFileSync(join(atoll, 'functions', 'balancer', 'former.ts'), 'export const former = 1\n')
  rmSync(join(atoll, 'functions', 'balancer', 'sticky.ts'))
  rewrite(atoll, 'package.json', (text) => {
    const { scripts, ...rest } = JSON.parse(text)
    const { advise: _, ...others } = scripts
    const dependencies = { ...rest.dependencies, hono: '0.0.1' }
    const earlier = { ...rest, name: 'atoll', scripts: others, dependencies, atoll: { version: '0.1.9' } }
    return `${JSON.stringify(earlier, null, 2)}\n`
  })
  rewrite(atoll, 'wrangler.toml', (text) =>
    text
      .replace(/# Keeps what is measured.*\n\[\[durable_objects\.bindings\]\]\n.*\n.*\n\n/, '')
      .replace(
        '\n[[migrations]]\ntag = "v3"\nnew_sqlite_classes = ["PoolWatch", "Metrics", "Advisor"]\n',
        '',
      ),
  )
  git(folder, ['init', '--quiet', '--initial-branch', 'main', atoll])
  configure(atoll)
  commit(atoll, 'Earlier')
  git(atoll, ['tag', 'v0.1.9'])
}

/** Somebody's own project: a blank app with a file of their own, names, a script, a package, a route, no shards. */
function makeFork(): void {
  git(folder, ['clone', '--quiet', atoll, fork])
  configure(fork)
  for (const ignored of ['node_modules', 'own.env'])
    appendFileSync(join(fork, '.git', 'info', 'exclude'), `${ignored}\n`)
  symlinkSync(join(root, 'node_modules'), join(fork, 'node_modules'))
  for (const app of ['db/app', 'functions/app', 'test/app']) {
    rmSync(join(fork, app), { recursive: true })
    cpSync(join(fork, 'functions/local/blank', app), join(fork, app), { recursive: true })
  }
  writeFileSync(join(fork, 'functions', 'app', 'prices.ts'), 'export const prices = { tea: 3 }\n')
  execFileSync(process.execPath, ['db/commands/generate.ts', '--name', 'first'], { cwd: fork })
  writeFileSync(join(fork, 'README.md'), '# Tea\n')
  mkdirSync(join(fork, '.github', 'workflows'), { recursive: true })
  writeFileSync(join(fork, '.github', 'workflows', 'ci.yml'), 'on: push\n')
  rewrite(fork, 'package.json', (text) =>
    text
      .replace('"name": "atoll"', '"name": "tea"')
      .replace('"scripts": {', '"scripts": {\n    "brew": "node brew.ts",')
      .replace('"dependencies": {', '"dependencies": {\n    "teapot": "4.1.8",'),
  )
  rewrite(
    fork,
    'wrangler.toml',
    (text) =>
      `${text.replace('name = "atoll"', 'name = "tea"').replace(/\[\[d1_databases\]\]\nbinding = "SHARD_\d+"\n(?:\w+ = .*\n)*\n?/g, '')}
# Where we are.
[[routes]]
pattern = "tea.example.com/*"
zone_name = "example.com"
`,
  )
  execFileSync(process.execPath, ['functions/local/environments.ts', 'add', 'staging'], { cwd: fork })
  rewrite(fork, 'wrangler.toml', (text) =>
    text.replace('[env.staging.vars]', '[env.staging.vars]\nTEA = "green"'),
  )
  commit(fork, 'Tea')
}

describe('npm run upgrade', () => {
  beforeAll(() => {
    makeEarlier()
    makeFork()
  })

  it('says that it does not know where Atoll is, when nobody has told git', () => {
    const { status, output } = upgrade()
    expect([status, output]).toEqual([1, expect.stringContaining('git remote add upstream')])
  })

  it('refuses while something is not committed', () => {
    writeFileSync(join(fork, 'functions', 'app', 'more.ts'), 'export {}\n')
    const { status, output } = upgrade('--from', root)
    rmSync(join(fork, 'functions', 'app', 'more.ts'))
    expect([status, output]).toEqual([1, expect.stringContaining('?? functions/app/more.ts')])
  })

  it('shows what it would do, and does nothing of it', () => {
    const { status, output } = upgrade('--from', root, '--plan')
    expect(status, output).toBe(0)
    expect(output).toMatch(/Atoll 0\.1\.9 → \d+\.\d+\.\d+/)
    expect(output).toContain('the tag v0.1.9')
    expect(output).toContain('  replaced functions/gateway.ts')
    expect(output).toContain('  removed  functions/balancer/former.ts')
    expect(output).toContain('  added    functions/balancer/sticky.ts')
    expect(output).toMatch(/^ +\+name = "METRICS"$/m)
    expect(output).not.toMatch(/^ {2}\w+ +(?:db|functions|test)\/app\//m)
    expect(git(fork, ['status', '--porcelain'])).toBe('')
  })

  it('brings the present engine, leaves theirs byte by byte, and is one commit that can be undone', () => {
    const before = readTree(fork)
    const { status, output } = upgrade('--from', root, '--no-install')
    expect(status, output).toBe(0)
    const after = readTree(fork)
    const shared = ['package.json', 'package-lock.json', 'wrangler.toml', 'README.md']
    const engine = [...present].filter(([path]) => !isTheirs(path) && !shared.includes(path))
    expect(engine.filter(([path, file]) => after.get(path)?.text !== file.text)).toEqual([])
    expect(after.has('functions/balancer/former.ts')).toBe(false)
    const theirs = [...before].filter(([path]) => isTheirs(path) || /^(?:README\.md|\.github)/.test(path))
    expect(theirs.map(([path]) => path)).toContain('functions/app/prices.ts')
    expect(theirs.filter(([path, file]) => after.get(path)?.text !== file.text)).toEqual([])
    expect(JSON.parse(read('package.json'))).toMatchObject({
      name: 'tea',
      scripts: { brew: 'node brew.ts', advise: expect.any(String) },
      dependencies: { teapot: '4.1.8', hono: expect.not.stringMatching('0.0.1') },
    })
    for (const [line] of (before.get('wrangler.toml')?.text ?? '').matchAll(/^.*$/gm))
      expect(read('wrangler.toml').split('\n')).toContain(line)
    expect(read('wrangler.toml').match(/name = "METRICS"/g)).toHaveLength(2)
    expect(read('wrangler.toml')).not.toContain('binding = "SHARD_')
    expect(git(fork, ['status', '--porcelain'])).toBe('')
    expect(git(fork, ['rev-list', '--count', 'HEAD']).trim()).toBe('3')

    const check = spawnSync(process.execPath, ['functions/local/check.ts'], { cwd: fork, encoding: 'utf8' })
    expect(check.stdout + check.stderr).toContain('The app can be served: 1 tables')
    expect(upgrade('--from', root).output).toContain('There is nothing to change.')

    git(fork, ['revert', '--no-edit', 'HEAD'])
    expect(git(fork, ['diff', 'HEAD~2', '--stat'])).toBe('')
    git(fork, ['reset', '--quiet', '--hard', 'HEAD~2'])
  })

  it('finds versions by the tags of the remote that Atoll is', () => {
    put(atoll, present)
    rmSync(join(atoll, 'functions', 'balancer', 'former.ts'))
    commit(atoll, 'Present')
    git(atoll, ['tag', `v${version}`])
    git(fork, ['remote', 'add', 'upstream', atoll])
    const unknown = upgrade('9.9.9')
    expect(unknown.output).toContain(`upstream has no version 9.9.9; it has 0.1.9, ${version}`)
    const { status, output } = upgrade('--no-install')
    expect(status, output).toBe(0)
    expect(output).toContain('the last commit that both share')
    const head = git(atoll, ['rev-parse', 'HEAD']).trim()
    expect(JSON.parse(read('package.json')).atoll).toEqual({ version, commit: head })
    expect(existsSync(join(fork, 'functions', 'balancer', 'former.ts'))).toBe(false)
    expect(upgrade('--plan').output).toContain('noted by the last upgrade')
    // The commit that both histories share is of before the upgrade: it says nothing any more.
    rewrite(fork, 'package.json', (text) => text.replace(head, 'f'.repeat(40)))
    expect(upgrade('--plan').output).toContain(`the tag v${version}`)
    rewrite(fork, 'package.json', (text) => text.replace('f'.repeat(40), head))
    expect(git(fork, ['status', '--porcelain'])).toBe('')
  })
})
