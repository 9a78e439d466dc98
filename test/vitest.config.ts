import { join } from 'node:path'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
import { buildCatalog } from '../db/catalog/build-catalog.ts'
import type { Seed, TableDeclarations } from '../db/catalog/declarations.ts'
import { appMigrations, readMigrations } from '../db/migrate/migration-files.ts'
import { makeSeedRows } from '../db/seed/seed.ts'
import { buildAssets } from '../functions/local/build-assets.ts'
import seed from './fixture-app/db/app/seed.ts'
import tables from './fixture-app/db/app/tables.ts'
import { fixture } from './fixture-app/paths.ts'

const root = join(import.meta.dirname, '..')
const measured = ['balancer', 'balancer-faults', 'kills', 'load', 'monitor'].map(
  (name) => `test/system/${name}.test.ts`,
)

// wrangler.toml names the folder, which a fresh clone does not have.
buildAssets(root)

/** What Miniflare has beside the bindings of a `wrangler.toml`. */
interface More {
  readonly bindings: Record<string, string>
  readonly d1Databases?: Record<string, string>
}

/** Tests beside the Worker of a `wrangler.toml`, in workerd. */
function workerd(configPath: string, more: () => Promise<More>) {
  return cloudflareTest(async () => ({ wrangler: { configPath }, miniflare: { ...(await more()) } }))
}

async function bindingsFor(
  folder: string,
  declared: TableDeclarations,
  rows: Seed,
): Promise<More['bindings']> {
  const migrations = readMigrations(folder)
  return {
    ATOLL_PUBLISHABLE_KEY: 'sb_publishable_test',
    ATOLL_SECRET_KEY: 'sb_secret_test',
    ATOLL_JWT_SECRET: 'a-secret-that-is-known-to-everybody-who-reads-this',
    ATOLL_RATE_LIMITS: 'off',
    // What is counted is handed over seconds later, which these tests would wait for.
    ATOLL_METRICS: 'off',
    MIGRATIONS: JSON.stringify(migrations.map(({ name, sql }) => ({ name, sql }))),
    SEED_ROWS: JSON.stringify(await makeSeedRows(rows, migrations, buildCatalog(declared))),
  }
}

/**
 * Beside real processes on a busy machine a test may fail for what it is not about. It is asked once more, and the report says so (`retry x1`);
 * pure tests are not. A random seed is chosen once for a file, so that the second try plays the same.
 */
const retry = 1

/** Pure stages in Node, the Worker in workerd, and whole servers from outside. */
export default defineConfig({
  root,
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          root,
          include: ['test/{unit,guards,faults}/**/*.test.ts'],
          environment: 'node',
          // Checkers and simulations compute for seconds, beside others that do.
          testTimeout: 30_000,
          // Pure stages keep nothing between files, and starting a process for each takes longer than they do.
          isolate: false,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [
          workerd(fixture.config, async () => ({
            // One database that holds everything, for comparison; others that backups are restored into.
            d1Databases: { ALONE: 'alone', EMPTY: 'empty', EMPTY_1: 'empty-1', EMPTY_2: 'empty-2' },
            bindings: await bindingsFor(fixture.migrations, tables, seed),
          })),
        ],
        test: {
          name: 'api',
          retry,
          root,
          include: ['test/{api,cluster}/**/*.test.ts'],
          setupFiles: ['test/support/workerd-setup.ts'],
          // What files leave behind, the setup takes away.
          isolate: false,
          // The first request of a file loads the Worker's modules, which takes seconds on a busy machine.
          testTimeout: 30_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [
          workerd(join(root, 'wrangler.toml'), async () => {
            // Loaded only where they are tested.
            const [app, rows] = await Promise.all([
              import('../db/app/tables.ts'),
              import('../db/app/seed.ts'),
            ])
            return { bindings: await bindingsFor(appMigrations, app.default, rows.default) }
          }),
        ],
        test: {
          // The app's own tests: `npm test -- app`.
          name: 'app',
          retry,
          root,
          include: ['test/app/**/*.test.ts'],
          setupFiles: ['test/support/app-setup.ts'],
          testTimeout: 30_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'alone',
          retry,
          root,
          include: ['test/{migrations,contracts,browser,system}/**/*.test.ts'],
          exclude: measured,
          environment: 'node',
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Databases, servers and commands of their own; nothing is measured.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'system',
          retry,
          root,
          include: measured,
          environment: 'node',
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Servers that are measured, or that must answer in time: nothing that computes much beside them.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
