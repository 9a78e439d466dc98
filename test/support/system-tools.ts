/**
 * The programs beside Node that tests use: where they are, or how to get them.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface SystemTool {
  readonly name: string
  /** Names that the program goes by. */
  readonly commands: readonly string[]
  readonly debianPackage: string
  readonly usedFor: string
  /** Whether tests need it; load runs leave out what is not there. Default true. */
  readonly isForTests?: boolean
}

export const systemTools: readonly SystemTool[] = [
  {
    name: 'Redis',
    commands: ['redis-server'],
    debianPackage: 'redis-server',
    usedFor: 'tests of slots and of the cache',
  },
  {
    name: 'Chromium',
    commands: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    debianPackage: 'chromium',
    usedFor: 'tests of pages',
  },
  {
    name: 'promtool',
    commands: ['promtool'],
    debianPackage: 'prometheus',
    usedFor: 'the test of what /metrics writes',
  },
  {
    name: 'nginx',
    commands: ['nginx'],
    debianPackage: 'nginx',
    usedFor: 'comparison of balancers',
    isForTests: false,
  },
  {
    name: 'HAProxy',
    commands: ['haproxy'],
    debianPackage: 'haproxy',
    usedFor: 'comparison of balancers',
    isForTests: false,
  },
]

/** Path of a tool's program, or null. */
export function findTool(tool: SystemTool): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin', '/usr/sbin']
  for (const folder of folders) {
    for (const command of tool.commands) {
      const file = join(folder, command)
      try {
        accessSync(file, constants.X_OK)
        return file
      } catch {
        // not there; look on
      }
    }
  }
  return null
}

export function findToolNamed(name: string): string | null {
  const tool = systemTools.find((candidate) => candidate.name === name)
  return tool ? findTool(tool) : null
}

/** How to run apt-get without asking anybody: as root, or with sudo that wants no password; else null. */
export function aptGet(): readonly string[] | null {
  if (spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status !== 0) return null
  if (process.getuid?.() === 0) return ['apt-get']
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0
    ? ['sudo', '-n', 'apt-get']
    : null
}
