import { join } from 'node:path'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
import seed from '../db/app/seed.ts'
import tables from '../db/app/tables.ts'
import { buildCatalog } from '../db/catalog/build-catalog.ts'
import { appMigrations, readMigrations } from '../db/migrate/migration-files.ts'
import { makeSeedRows } from '../db/seed/seed.ts'
import { buildAssets } from '../functions/local/build-assets.ts'

const root = join(import.meta.dirname, '..')
const measured = ['balancer', 'balancer-faults', 'kills', 'load', 'monitor'].map(
  (name) => `test/system/${name}.test.ts`,
)

// wrangler.toml names the folder, which a fresh clone does not have.
buildAssets(root)

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
          cloudflareTest(async () => {
            const migrations = readMigrations(appMigrations)
            return {
              wrangler: { configPath: join(root, 'wrangler.toml') },
              miniflare: {
                // One database that holds everything, for comparison.
                d1Databases: { ALONE: 'alone' },
                bindings: {
                  ATOLL_PUBLISHABLE_KEY: 'sb_publishable_test',
                  ATOLL_SECRET_KEY: 'sb_secret_test',
                  ATOLL_RATE_LIMITS: 'off',
                  // What is counted is handed over seconds later, which these tests would wait for.
                  ATOLL_METRICS: 'off',
                  MIGRATIONS: JSON.stringify(migrations.map(({ name, sql }) => ({ name, sql }))),
                  SEED_ROWS: JSON.stringify(await makeSeedRows(seed, migrations, buildCatalog(tables))),
                },
              },
            }
          }),
        ],
        test: {
          name: 'api',
          root,
          include: ['test/{api,app,cluster}/**/*.test.ts'],
          setupFiles: ['test/support/workerd-setup.ts'],
          // The first request of a file loads the Worker's modules, which takes seconds on a busy machine.
          testTimeout: 30_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'alone',
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
