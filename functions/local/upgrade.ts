/**
 * `npm run upgrade [-- VERSION | --from DIR]`: a newer version of Atoll under an app. Everything outside of `app/` is replaced; files that both have
 * a part in are merged; one commit holds it all. It uses no packages, as the folder of a new version has none, and the new version's own code
 * carries it out.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runCommand } from '../../db/commands/run-command.ts'
import { UsageError } from '../../db/doors/usage-error.ts'
import { carryOut } from './upgrade/carry-out.ts'
import { compareVersions } from './upgrade/changelog.ts'
import { git, gitOrNull, isRepository, versionOf, withCommit } from './upgrade/trees.ts'

const usage = `npm run upgrade -- [VERSION | --from DIR] [--plan] [--overwrite] [--no-install]
  npm run upgrade -- --into DIR [--plan] …   in a clone of Atoll: upgrades the fork in DIR to this clone`

const root = join(import.meta.dirname, '..', '..')

await runCommand(usage, async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      from: { type: 'string' },
      into: { type: 'string' },
      // Where --into's own folder is a commit that was unpacked.
      commit: { type: 'string' },
      plan: { type: 'boolean', default: false },
      overwrite: { type: 'boolean', default: false },
      'no-install': { type: 'boolean', default: false },
    },
  })
  const [version] = positionals
  if (values.into !== undefined)
    return carryOut({
      fork: resolve(values.into),
      source: root,
      commit: values.commit ?? null,
      planOnly: values.plan,
      overwrite: values.overwrite,
      install: !values['no-install'],
      tell: console.log,
    })
  const passed = (['plan', 'overwrite', 'no-install'] as const)
    .filter((name) => values[name])
    .map((name) => `--${name}`)
  if (values.from !== undefined) return runOf(resolve(values.from), passed)
  const { commit, tag } = fetchVersion(version ?? null)
  console.log(`${tag} is ${commit.slice(0, 10)}`)
  await withCommit(root, commit, {}, (folder) => runOf(folder, [...passed, '--commit', commit]))
})

/** Has the new version upgrade this fork: what it has learned since holds. */
function runOf(source: string, args: readonly string[]): void {
  versionOf(source)
  const script = join(source, 'functions', 'local', 'upgrade.ts')
  if (!existsSync(script)) throw new UsageError(`${source} is from before upgrades, which begin with 0.2.0`)
  const { status } = spawnSync(process.execPath, [script, '--into', root, ...args], { stdio: 'inherit' })
  process.exitCode = status ?? 1
}

/** Takes a version's tag over from the remote of Atoll, and that of the version that is here, to compare with. */
function fetchVersion(version: string | null): { commit: string; tag: string } {
  if (!isRepository(root))
    throw new UsageError('There is no git repository here: git init, commit everything, and run it again.')
  const remotes = (gitOrNull(root, ['remote']) ?? '').split('\n')
  const remote = ['atoll', 'upstream'].find((name) => remotes.includes(name))
  if (remote === undefined)
    throw new UsageError(
      'It is not known where Atoll is: git remote add upstream URL, with the address of the repository that you forked. Or name a folder that holds a version: --from DIR.',
    )
  const listed = git(root, ['ls-remote', '--tags', '--refs', remote, 'v*'])
  const versions = [...listed.matchAll(/refs\/tags\/v(\d+\.\d+\.\d+)$/gm)].map(([, found]) => found as string)
  const newest = versions.sort(compareVersions).at(-1)
  const wanted = version?.replace(/^v/, '') ?? newest
  if (wanted === undefined || !versions.includes(wanted))
    throw new UsageError(
      versions.length === 0
        ? `${remote} has no versions yet: they are tags like v0.2.0. Name a folder that holds one: --from DIR.`
        : `${remote} has no version ${wanted}; it has ${versions.join(', ')}`,
    )
  const here = versionOf(root).version
  for (const name of new Set([wanted, ...versions.filter((found) => found === here)]))
    git(root, ['fetch', '--quiet', '--no-tags', remote, `+refs/tags/v${name}:refs/atoll/v${name}`])
  return { commit: git(root, ['rev-parse', `refs/atoll/v${wanted}^{commit}`]).trim(), tag: `v${wanted}` }
}
