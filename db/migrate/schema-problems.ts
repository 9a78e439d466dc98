import { quoteName } from '../sql/quote.ts'
import { isAtollTrigger } from './attachments.ts'
import { problemsOfWrites } from './planner.ts'
import type { SchemaModel } from './schema-model.ts'

/** What does not hold in a schema, each with what helps. */
export function problemsOf(model: SchemaModel): Map<string, string> {
  const problems = new Map<string, string>()
  const [mismatch] = [model.mismatch()].filter((found) => found !== null)
  if (mismatch !== undefined)
    problems.set(
      mismatch,
      'A foreign key must refer to a primary key or a unique index: change both in one migration.',
    )
  for (const table of model.tables.values()) {
    for (const { parent, columns } of table.foreignKeys) {
      if (!model.table(parent))
        problems.set(
          `${table.name}.${columns.join(', ')} refers to ${parent}, which is not there`,
          'Change the foreign key in the same migration.',
        )
    }
    if (!model.triggersOn(table.name).some(({ name }) => !isAtollTrigger(name))) continue
    for (const problem of problemsOfWrites(model, table))
      problems.set(
        `a trigger of ${table.name} would fail: ${problem}`,
        'Drop the trigger in the same migration, and make it anew.',
      )
  }
  for (const { name } of model.objects('view')) {
    const problem = model.problemOf(`SELECT * FROM ${quoteName(name)}`)
    if (problem !== null)
      problems.set(`the view ${name} would fail: ${problem}`, 'Change the view in the same migration.')
  }
  return problems
}
