/**
 * Where a token says its role: a path into its claims, in the words of PostgREST's `jwt-role-claim-key`.
 * https://docs.postgrest.org/en/stable/references/auth.html#jwt-role-extraction
 * @module
 */

type Step =
  | { readonly kind: 'key'; readonly key: string | number }
  /** The first text of a list that is like this. */
  | { readonly kind: 'first'; readonly operator: string; readonly text: string }

const step =
  /\.(?:([\p{L}\p{N}_$@-]+)|"((?:[^"\\]|\\.)*)")|\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|\[\?\(\s*@\s*(==|!=|\^==|==\^|\*==)\s*"((?:[^"\\]|\\.)*)"\s*\)\]/uy

/** @throws Error for what is no path */
export function roleClaimOf(path: string): (claims: Readonly<Record<string, unknown>>) => string | null {
  const steps = stepsOf(path.replace(/^\$/, ''))
  return (claims) => {
    let value: unknown = claims
    for (const one of steps) value = one.kind === 'key' ? member(value, one.key) : firstLike(value, one)
    return typeof value === 'string' && value !== '' ? value : null
  }
}

function stepsOf(path: string): readonly Step[] {
  const steps: Step[] = []
  step.lastIndex = 0
  while (step.lastIndex < path.length) {
    const found = step.exec(path)
    if (found === null) throw new Error(`jwtRoleClaim is no path into claims: ${path}`)
    const [, plain, quoted, inBrackets, index, operator, text] = found
    if (operator !== undefined) steps.push({ kind: 'first', operator, text: unescaped(text as string) })
    else if (index !== undefined) steps.push({ kind: 'key', key: Number(index) })
    else steps.push({ kind: 'key', key: plain ?? unescaped((quoted ?? inBrackets) as string) })
  }
  if (steps.length === 0) throw new Error('jwtRoleClaim is empty; the default is .role')
  return steps
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, '$1')
}

function member(value: unknown, key: string | number): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  if (typeof key === 'number') return Array.isArray(value) ? value[key] : undefined
  return Object.hasOwn(value, key) ? (value as Readonly<Record<string, unknown>>)[key] : undefined
}

function firstLike(value: unknown, { operator, text }: Extract<Step, { kind: 'first' }>): unknown {
  if (!Array.isArray(value)) return undefined
  return value.find((one) => typeof one === 'string' && isLike(one, operator, text))
}

function isLike(one: string, operator: string, text: string): boolean {
  switch (operator) {
    case '==':
      return one === text
    case '!=':
      return one !== text
    case '^==':
      return one.startsWith(text)
    case '==^':
      return one.endsWith(text)
    default:
      return one.includes(text)
  }
}
