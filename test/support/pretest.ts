/**
 * `npm test` runs this first: finds the programs that tests use, installs them from the system's packages when it
 * may, and says plainly what is missing when it may not. In CI something missing is a failure; elsewhere the tests
 * that need it say that they are left out.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { aptGet, findTool, systemTools } from './system-tools.ts'

const missing = () => systemTools.filter((tool) => tool.isForTests !== false && findTool(tool) === null)

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
