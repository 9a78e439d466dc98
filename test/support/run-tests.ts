/**
 * `npm test`: `npm test -- app` runs the app's own tests alone, `npm test -- FILTER` what has it in its path. First finds the programs that tests use, installs them from the system's packages when it
 * may, and says plainly what is missing when it may not. In CI something missing is a failure; elsewhere the tests
 * that need it say that they are left out.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { aptGet, findTool, systemTools } from './system-tools.ts'

const [first, ...others] = process.argv.slice(2)
/** The app's own tests need nothing beside Node. */
const isApp = first === 'app'
const missing = () =>
  isApp ? [] : systemTools.filter((tool) => tool.isForTests !== false && findTool(tool) === null)

const apt = missing().length > 0 ? aptGet() : null
if (apt) {
  const packages = missing().map((tool) => tool.debianPackage)
  console.log(`Installing what the tests need from the system's packages: ${packages.join(', ')}`)
  const run = (...args: string[]) => {
    const [command = '', ...before] = apt
    return spawnSync(command, [...before, ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    }).status
  }
  if (run('update', '-q') === 0) run('install', '-y', '-q', '--no-install-recommends', ...packages)
}

const left = missing()
for (const tool of left) {
  console.error(
    `${tool.name} is missing; ${tool.usedFor} need it. Install it: on Debian, apt-get install ${tool.debianPackage}`,
  )
}
if (left.length > 0 && process.env.CI) process.exit(1)

const chosen = isApp ? ['--project', 'app', '--passWithNoTests', ...others] : process.argv.slice(2)
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--config', join('test', 'vitest.config.ts'), ...chosen],
  { stdio: 'inherit' },
)
process.exitCode = status ?? 1
