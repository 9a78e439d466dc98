import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { findAccount } from '../../db/doors/cloudflare-account.ts'
import { UsageError } from '../../db/doors/usage-error.ts'
import { readDatabases } from './cloudflare/account-state.ts'
import { bookmarkAt, madeAt, putSecret, restoreTo } from './cloudflare/time-travel.ts'
import { readWanted } from './cloudflare/wanted.ts'
import { accountChooser } from './deploy/choose-account.ts'
import { addressOf } from './deploy/release.ts'
import type { TravelHands } from './travel-back.ts'

/**
 * What `npm run backup -- restore --at` does in the account of a deployment.
 *
 * @param root the project's folder
 * @returns with the address of its Worker
 */
export async function openHands(
  root: string,
  env: string | undefined,
): Promise<{ readonly hands: TravelHands; addressOf(): Promise<string> }> {
  const wanted = readWanted(join(root, 'wrangler.toml'), env)
  const account = await findAccount(root, wanted.accountId, accountChooser())
  const databases = await readDatabases(account, wanted)
  const databaseOf = (binding: string) => {
    const { id, name } = databases.find((database) => database.binding === binding) ?? {
      id: null,
      name: binding,
    }
    if (id === null) throw new UsageError(`There is no database ${name} in the account ${account.id}.`)
    return { id, name }
  }
  return {
    addressOf: () => addressOf({ account, wanted }),
    hands: {
      bookmarkAt: async (database, at) => bookmarkAt(account, databaseOf(database), at),
      madeAt: async (database) => madeAt(account, databaseOf(database)),
      restore: async (database, bookmark) => restoreTo(account, databaseOf(database), bookmark),
      setting: (text) => putSecret(account, wanted.worker, 'ATOLL_TIME_TRAVEL', text),
      migrate: () => migrate(root, env),
    },
  }
}

async function migrate(root: string, env: string | undefined): Promise<void> {
  const args = [
    join(root, 'db/commands/migrate.ts'),
    '--remote',
    ...(env === undefined ? [] : ['--env', env]),
  ]
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' })
  const code = await new Promise<number | null>((done) => child.once('close', done))
  if (code !== 0) throw new UsageError('The migrations could not be applied. Run the same again: it goes on.')
}
