import type { PlanMedia } from '../ask/plan-media.ts'
import type { ExplainedStatement, ExplainedStep } from '../execute/execute-explain.ts'

/** What carrying it out has cost. */
export interface Analyzed {
  readonly ms: number
  readonly rowsRead: number
  readonly rows: number
}

/** A plan as PostgreSQL's EXPLAIN has it, as far as SQLite says as much: steps, without costs. */
export function respondExplain(
  statements: readonly ExplainedStatement[],
  analyzed: Analyzed | null,
  { format, verbose, accept }: PlanMedia,
  headersOnly: boolean,
): Response {
  const body =
    format === 'json' ? jsonOf(statements, analyzed, verbose) : textOf(statements, analyzed, verbose)
  const headers = {
    'Content-Type': `application/vnd.pgrst.plan+${format}; for="${accept.replace(/[^\w.+/*; =-]/g, '')}"; charset=utf-8`,
    'Cache-Control': 'private, no-store',
    Vary: 'Accept, Prefer, Range',
  }
  return new Response(headersOnly ? null : body, { headers })
}

function jsonOf(
  statements: readonly ExplainedStatement[],
  analyzed: Analyzed | null,
  verbose: boolean,
): string {
  const node = ({ detail, steps }: ExplainedStep): object => ({
    'Node Type': detail,
    ...(steps.length === 0 ? {} : { Plans: steps.map(node) }),
  })
  const plans = statements.map(({ of, databases, text, steps }, i) => ({
    Plan: {
      'Node Type': of === 'rows' ? 'Rows' : `Rows of ${of}, brought together`,
      Databases: databases,
      ...(verbose ? { Statement: text } : {}),
      ...(steps.length === 0 ? {} : { Plans: steps.map(node) }),
    },
    ...(i === 0 && analyzed
      ? { 'Actual Rows': analyzed.rows, 'Rows Read': analyzed.rowsRead, 'Execution Time': analyzed.ms }
      : {}),
  }))
  return JSON.stringify(plans)
}

function textOf(
  statements: readonly ExplainedStatement[],
  analyzed: Analyzed | null,
  verbose: boolean,
): string {
  const lines: string[] = []
  const write = ({ detail, steps }: ExplainedStep, depth: number): void => {
    lines.push(`${'  '.repeat(depth)}->  ${detail}`)
    for (const step of steps) write(step, depth + 1)
  }
  for (const { of, databases, text, steps } of statements) {
    lines.push(`${of === 'rows' ? 'Rows' : `Rows of ${of}, brought together`} on ${databases.join(', ')}`)
    if (verbose) lines.push(`  Statement: ${text}`)
    for (const step of steps) write(step, 1)
  }
  if (analyzed) {
    lines.push(
      `Actual Rows: ${analyzed.rows}`,
      `Rows Read: ${analyzed.rowsRead}`,
      `Execution Time: ${analyzed.ms} ms`,
    )
  }
  return lines.join('\n')
}
