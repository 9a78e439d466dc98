import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { wranglerEnv } from '../support/cloudflare/run-wrangler.ts'
import { type Cloudflare, startCloudflare } from '../support/cloudflare/server.ts'
import { copySmallProject } from '../support/cloudflare/small-project.ts'
import type { ProjectCopy } from '../support/project-copy.ts'
import { seededRandom } from '../support/seeded-random.ts'

/**
 * A first deployment, whose requests fail one after the other: as `ATOLL_DEPLOY_FAILURES=all npm test -- deploy-failures` every one of them (half an
 * hour), else so many, chosen by `ATOLL_SEED`.
 */
const asked = process.env.ATOLL_DEPLOY_FAILURES ?? '1'
const seed = Number(process.env.ATOLL_SEED ?? Date.now() % 1_000_000)

type How = 'drop-before' | 'drop-after' | 'status' | 'kill'
const ways: readonly How[] = ['drop-before', 'drop-after', 'status', 'kill']

/** Of a deployment of two databases, as another test counts them. */
const requests = 40

let project: ProjectCopy

beforeAll(() => {
  project = copySmallProject()
})
afterAll(() => project.remove())

describe('a deployment whose requests fail', { timeout: 120_000 }, () => {
  const random = seededRandom(seed)
  const cases =
    asked === 'all'
      ? Array.from({ length: requests }, (_, i) => ({ after: i, how: ways[i % ways.length] as How }))
      : Array.from({ length: Number(asked) }, () => ({
          after: Math.floor(random() * requests),
          how: ways[Math.floor(random() * ways.length)] as How,
        }))

  it.each(cases)(
    `completes when it is run again: request $after, $how (seed ${seed})`,
    async ({ after, how }) => {
      const cloudflare = await startCloudflare()
      try {
        await breakAndComplete(cloudflare, after, how)
      } finally {
        await cloudflare.stop()
      }
    },
  )
})

async function breakAndComplete(cloudflare: Cloudflare, after: number, how: How): Promise<void> {
  const keys = join(project.folder, `keys-${after}-${how}`)
  const url = await cloudflare.addressOf('atoll')
  const env = {
    ...(wranglerEnv(join(project.folder, 'temporary')) as Record<string, string>),
    ...cloudflare.env,
  }
  const killed = new AbortController()
  const run = (signal?: AbortSignal) =>
    project.run('functions/local/deploy.ts', ['--url', url, '--keys-file', keys], {
      env,
      ...(signal ? { signal } : {}),
    })
  if (how === 'kill') {
    cloudflare.fail({
      match: () => {
        if (cloudflare.requests.length <= after) return false
        killed.abort()
        return false
      },
      how: 'status',
    })
  } else cloudflare.fail({ match: () => true, after, how })
  const first = await run(killed.signal)
  cloudflare.mend()
  // Wrangler goes on without the command that was killed, as it does for people.
  if (how === 'kill') await quiet(cloudflare)
  const { output, code } = await run()
  expect(`${first.output}\n---\n${output}`).toContain('It works')
  expect(code).toBe(0)
  expect(cloudflare.queues.map(({ queue_name: name }) => name).sort()).toEqual([
    'atoll-jobs',
    'atoll-jobs-high',
  ])
  expect(cloudflare.queues.map(({ consumers }) => consumers.length)).toEqual([1, 1])
  expect(cloudflare.buckets.map(({ name }) => name)).toEqual(['atoll'])
  const secrets = cloudflare.scripts.deployed('atoll')?.bindings.filter(({ type }) => type === 'secret_text')
  expect(secrets).toHaveLength(3)
  expect(cloudflare.unknown).toEqual([])
}

/** Waits until nothing has been asked for a while. */
async function quiet({ requests: seen }: Cloudflare): Promise<void> {
  for (let count = -1; count !== seen.length; ) {
    count = seen.length
    await new Promise((done) => setTimeout(done, 3000))
  }
}
