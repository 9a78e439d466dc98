import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { backupRecords } from '../../db/system/backup-objects.ts'
import type { Finding } from '../../functions/local/doctor/findings.ts'
import { wranglerEnv } from '../support/cloudflare/run-wrangler.ts'
import { type Cloudflare, startCloudflare } from '../support/cloudflare/server.ts'
import { copyProject, type ProjectCopy } from '../support/project-copy.ts'

let cloudflare: Cloudflare
let project: ProjectCopy

beforeAll(async () => {
  cloudflare = await startCloudflare({ databases: ['atoll', 'atoll-shard-1', 'of-others'] })
  project = copyProject()
})
afterAll(async () => {
  await cloudflare.stop()
  project.remove()
})

async function doctor(...args: string[]) {
  const env = {
    ...(wranglerEnv(join(project.folder, 'temporary')) as Record<string, string>),
    ...cloudflare.env,
  }
  const { code, output } = await project.run('functions/local/doctor.ts', ['--json', '--quick', ...args], {
    env,
  })
  try {
    const { local, remote } = JSON.parse(output) as { local: Finding[]; remote: Finding[] | null }
    return { code, local, remote: remote ?? [] }
  } catch {
    throw new Error(output)
  }
}

const about = (findings: readonly Finding[], subject: string) =>
  findings.filter((finding) => finding.about === subject).map(({ state, says }) => `${state}: ${says}`)

describe('npm run doctor', { timeout: 120_000 }, () => {
  it('looks at this machine, and is content with a project as it is shipped', async () => {
    const { code, local } = await doctor()
    expect(local.filter(({ state }) => state === 'fault')).toEqual([])
    expect(about(local, 'bundle')).toEqual([expect.stringMatching(/^good: \d+\.\d MB/)])
    expect(about(local, 'start-up')).toEqual(['unknown: left out (--quick)'])
    expect(code).toBe(0)
  })

  it('looks at an account, changes nothing there, and says what is missing', async () => {
    cloudflare.isR2On = false
    const { code, remote } = await doctor('--remote')
    cloudflare.isR2On = true
    expect(about(remote, 'Worker')).toEqual(['fault: was never deployed'])
    expect(about(remote, 'databases')).toEqual([
      expect.stringMatching(/^fault: SHARD_2 \(atoll-shard-2\), SHARD_3 \(atoll-shard-3\) missing/),
    ])
    expect(about(remote, 'replication')).toEqual([
      expect.stringMatching(/^warning: off for DB \(atoll\), SHARD_1/),
    ])
    expect(about(remote, 'locations')).toEqual(['good: WEUR: DB, SHARD_1'])
    expect(about(remote, 'plan')).toEqual([expect.stringMatching(/^unknown: .*3 databases in the account/)])
    expect(about(remote, 'R2')).toEqual(['fault: is not switched on in this account, and files need it'])
    expect(about(remote, 'queues')).toEqual([expect.stringMatching(/^fault: atoll-jobs/)])
    expect(about(remote, 'clock')).toEqual([expect.stringMatching(/^unknown: /)])
    // No database has been migrated, and two are not there.
    expect(about(remote, 'backups')).toEqual([expect.stringMatching(/^unknown: /)])
    expect(code).toBe(1)
    expect(
      cloudflare.requests.filter(({ method, path }) => method !== 'GET' && !/\/(?:query|raw)$/.test(path)),
    ).toEqual([])
    expect(cloudflare.unknown).toEqual([])
  })

  it('says when the last backup was made, as the database has it noted', async () => {
    const shards = project.read('wrangler.toml')
    project.write(
      'wrangler.toml',
      shards.replace(/\[\[d1_databases\]\]\nbinding = "SHARD_[23]"\n(?:\w+ = .*\n)*\n?/g, ''),
    )
    const database = cloudflare.database('atoll')
    for (const statement of backupRecords) await database.prepare(statement).run()
    const note = (id: string, state: string, at: number) =>
      database
        .prepare(
          "INSERT INTO _atoll_backups (id, kind, state, asked, created, updated) VALUES (?, 'full', ?, '{}', ?, ?)",
        )
        .bind(id, state, at, at)
        .run()
    await note('a', 'done', Date.now() - 5 * 86_400_000)
    await note('b', 'running', Date.now())
    const { remote } = await doctor('--remote')
    expect(about(remote, 'backups')).toEqual([
      expect.stringMatching(/^warning: the last is of .*: 5 days old$/),
    ])
    expect(about(remote, 'schema')).toEqual([expect.stringMatching(/^fault: DB lacks 0000_/)])
  })
})
