/**
 * `npm run load -- migrations`: a table of a million rows with children is made anew: how long it takes beside copying the same rows once,
 * and what workerd holds meanwhile.
 * @module
 */
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { defineTables, local } from '../../db/define.ts'
import { childProcesses } from '../../functions/local/state-lock.ts'
import { openBench, rebuildOf, written } from '../support/migration-bench.ts'
import { peakMemoryOf } from './process-memory.ts'

const rows = Number(process.env.ATOLL_ROWS ?? 1_000_000)

const parents = sqliteTable('parents', { id: integer('id').primaryKey(), name: text('name') })
const children = sqliteTable('children', {
  id: integer('id').primaryKey(),
  parentId: integer('parent_id').references(() => parents.id, { onDelete: 'cascade' }),
  note: text('note'),
})
const others = sqliteTable('others', {
  id: integer('id').primaryKey(),
  parentId: integer('parent_id').references(() => parents.id),
})

const catalog = buildCatalog(
  defineTables({
    parents: local(parents, { searchable: ['name'] }),
    children: local(children),
    others: local(others),
  }),
)
const first = written(
  '0000_family.sql',
  'CREATE TABLE `parents` (`id` integer PRIMARY KEY NOT NULL, `name` text)',
  'CREATE TABLE `children` (`id` integer PRIMARY KEY NOT NULL, `parent_id` integer, `note` text, FOREIGN KEY (`parent_id`) REFERENCES `parents`(`id`) ON DELETE cascade)',
  'CREATE TABLE `others` (`id` integer PRIMARY KEY NOT NULL, `parent_id` integer, FOREIGN KEY (`parent_id`) REFERENCES `parents`(`id`))',
  'CREATE INDEX `children_parent` ON `children` (`parent_id`)',
)
const second = written(
  '0001_named.sql',
  ...rebuildOf(
    'parents',
    'CREATE TABLE `parents` (`id` integer PRIMARY KEY NOT NULL, `name` text NOT NULL)',
    ['id', 'name'],
  ),
)

export async function runMigrations(): Promise<void> {
  const bench = await openBench(['DB'])
  try {
    await bench.migrate(catalog, [first])
    const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})`
    for (const statement of [
      `${numbers} INSERT INTO parents SELECT i, 'name ' || i FROM n`,
      'INSERT INTO children SELECT id, id, name || name FROM parents',
      'INSERT INTO others SELECT id, id FROM parents WHERE id % 10 = 0',
      'DELETE FROM _atoll_changes',
    ])
      await bench.run(statement)
    const [workerd = 0] = childProcesses()
    const timed = async (work: () => Promise<unknown>) => {
      const start = performance.now()
      await work()
      return (performance.now() - start) / 1000
    }
    const before = peakMemoryOf(workerd)
    const once = await timed(() => bench.run('CREATE TABLE copy AS SELECT * FROM parents'))
    await bench.run('DROP TABLE copy')
    const twice = await timed(() => bench.run('CREATE TABLE copy AS SELECT * FROM children'))
    await bench.run('DROP TABLE copy')
    const tried = await timed(() => bench.migrate(catalog, [first, second], { planOnly: true }))
    const applied = await timed(() => bench.migrate(catalog, [first, second]))
    const counts = await bench.rows(
      'SELECT (SELECT count(*) FROM parents) AS parents, (SELECT count(*) FROM children) AS children, (SELECT count(*) FROM others) AS others',
    )
    const seconds = (value: number) => `${value.toFixed(1)} s`
    console.log(`${rows} parents, as many children that go with them, a tenth of others that do not`)
    console.log(`copying parents once ${seconds(once)}, children once ${seconds(twice)}`)
    console.log(`looking and trying ${seconds(tried)}; looking, trying and applying ${seconds(applied)}`)
    console.log(`applying to copying both once: ${((applied - tried) / (once + twice)).toFixed(1)} times`)
    console.log(`memory of workerd at most: ${before} MB before, ${peakMemoryOf(workerd)} MB afterwards`)
    console.log(`rows afterwards: ${JSON.stringify(counts[0])}`)
  } finally {
    await bench.stop()
  }
}
