import { join } from 'node:path'

const folder = import.meta.dirname

/** Where the app's parts are that are read from disk. */
export const fixture = {
  folder,
  config: join(folder, 'wrangler.toml'),
  entry: join(folder, 'worker.ts'),
  migrations: join(folder, 'db', 'app', 'migrations'),
}
