import { rowsOf } from '../../../db/cluster/rows-of.ts'
import type { ClusterSession } from '../../../db/cluster/session.ts'
import type { BoundStatement, Row } from '../../../db/sql/statement.ts'
import type { CompiledRead } from '../compile/compile-read.ts'
import type { ReadPlan, RoutePlan } from '../plan/plan.ts'
import { type BoundRead, bind } from './bound-read.ts'
import { siteOf } from './execute.ts'

/** How SQLite carries out a statement on some databases, each in the same way. */
export interface ExplainedStatement {
  /** `rows`, or the table whose rows are brought in from where they lie. */
  readonly of: string
  readonly databases: readonly string[]
  readonly text: string
  readonly steps: readonly ExplainedStep[]
}

/** A step of `EXPLAIN QUERY PLAN`, and those that it is made of. */
export interface ExplainedStep {
  readonly detail: string
  readonly steps: readonly ExplainedStep[]
}

/** Asks how a read would be carried out, without doing so. Rows of other databases count as none. */
export async function executeExplain(
  plan: ReadPlan,
  compiled: CompiledRead,
  bindings: BoundRead,
  session: ClusterSession,
): Promise<ExplainedStatement[]> {
  const explain = async (of: string, route: RoutePlan, statementFor: (parts: number) => BoundStatement) => {
    const site = await siteOf(route, bindings, session)
    const parts = await session.cluster.partsOf(site, session)
    const statement = statementFor(parts.length)
    const asked = { ...statement, text: `EXPLAIN QUERY PLAN ${statement.text}` }
    const outcomes = await session.run(site, () => [asked])
    const [first] = outcomes
    const databases = outcomes.map(({ part }) => part.database)
    return { of, databases, text: statement.text, steps: stepsOf(first ? rowsOf(first) : []) }
  }
  const gathered = plan.gathers.map(() => '[]')
  const own = { ...bindings, gathered }
  const main = await explain('rows', plan.route, (parts) =>
    bind(parts > 1 ? compiled.spread().rows : compiled.rows, own),
  )
  const brought = await Promise.all(
    plan.gathers.map(({ table, route }, i) =>
      explain(table.name, route, () =>
        bind((compiled.gathers[i] as { statement: CompiledRead['rows'] }).statement, bindings),
      ),
    ),
  )
  return [main, ...brought]
}

function stepsOf(rows: readonly Row[], parent = 0): ExplainedStep[] {
  return rows
    .filter((row) => Number(row.parent) === parent)
    .map((row) => ({ detail: String(row.detail), steps: stepsOf(rows, Number(row.id)) }))
}
