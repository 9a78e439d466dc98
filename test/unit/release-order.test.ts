import { describe, expect, it } from 'vitest'
import type { Effect } from '../../db/migrate/effect.ts'
import type { MigrationReport } from '../../db/migrate/migrate-cluster.ts'
import { planOnEmpty } from '../../db/migrate/plan-on-empty.ts'
import { releaseOrder } from '../../db/migrate/release-order.ts'

const first =
  'CREATE TABLE `t` (`id` integer PRIMARY KEY NOT NULL, `a` text, `b` text NOT NULL, `c` integer DEFAULT 1 NOT NULL)'
const written = (...texts: readonly string[]) =>
  [first, ...texts].map((sql, i) => ({ name: `000${i}.sql`, sql, snapshot: null }))

/** What a database that has the first migration would be told of the others. */
function orderOf(...texts: readonly string[]) {
  const migrations = written(...texts)
  const planned = planOnEmpty(migrations).slice(1)
  const reports = [{ database: 'DB', applied: [], done: [], planned }] as unknown as MigrationReport[]
  const { before, after, torn } = releaseOrder(migrations, reports)
  return {
    before: before.map(({ name }) => name),
    after,
    torn: torn.flatMap(({ effects }) => effects.map(({ text }: Effect) => text)),
  }
}

describe('the order of a release', () => {
  it('puts what adds before the deployment, and what takes away after it', () => {
    const add = 'ALTER TABLE `t` ADD `d` text'
    const drop = 'ALTER TABLE `t` DROP COLUMN `a`'
    expect(orderOf(add)).toEqual({ before: ['0000.sql', '0001.sql'], after: [], torn: [] })
    expect(orderOf(drop)).toEqual({ before: ['0000.sql'], after: ['0001.sql'], torn: [] })
    expect(orderOf(add, drop)).toMatchObject({
      before: ['0000.sql', '0001.sql'],
      after: ['0002.sql'],
      torn: [],
    })
    expect(orderOf('ALTER TABLE `t` DROP COLUMN `c`').torn).toEqual([])
    expect(orderOf('CREATE UNIQUE INDEX `u` ON `t` (`a`)')).toMatchObject({ after: ['0001.sql'], torn: [] })
  })

  it('says which clauses no order can carry out beside both versions', () => {
    expect(orderOf('ALTER TABLE `t` RENAME COLUMN `a` TO `e`').torn).toEqual(['renames the column t.a to e'])
    expect(orderOf('ALTER TABLE `t` DROP COLUMN `b`').torn).toEqual(['drops the column t.b with its values'])
    expect(orderOf('ALTER TABLE `t` DROP COLUMN `a`', 'ALTER TABLE `t` ADD `d` text').torn).toEqual([
      'adds the column t.d',
    ])
    const both = 'ALTER TABLE `t` DROP COLUMN `a`;--> statement-breakpoint\nALTER TABLE `t` ADD `d` text'
    expect(orderOf(both).torn).toEqual(['adds the column t.d'])
  })
})
