import type { ClusterSession } from '../../../db/cluster/session.ts'
import type { Shape } from '../ask/shape.ts'
import type { Visit } from '../services.ts'

/** Parameters are kept with a statement up to so many characters. */
const maxParameterLength = 4000

/** What is looked at of a request that has been answered. */
interface Costly {
  readonly visit: Visit
  readonly shape: Shape
  readonly session: ClusterSession
}

/** What the request has cost, by its shape: for those who look for what is slow. */
export function noteCost(
  { visit, shape, session: { usage } }: Costly,
  table: string,
  response: Response,
): void {
  if (usage.calls === 0) return
  const { ms, rowsRead, rowsWritten, worst } = usage
  const [, first, last] = /^(\d+)-(\d+)/.exec(response.headers.get('content-range') ?? '') ?? []
  const rowsReturned = last === undefined ? 0 : Number(last) - Number(first) + 1
  const about = () => ({
    shape: shape.parameters
      .map(({ name, text, operand }) => `${name}=${text}${operand === null ? '' : '…'}`)
      .join('&'),
    method: visit.raw.method,
    table,
    statement:
      worst && JSON.stringify(worst.statement.parameters).length <= maxParameterLength
        ? worst.statement
        : null,
  })
  visit.services.meter.shape(shape.key, about, { ms, rowsRead, rowsWritten, rowsReturned })
}
