/**
 * Which function of a name a call means: the one whose arguments have the names that came (PostgREST's rule).
 * https://docs.postgrest.org/en/stable/references/api/functions.html#overloaded-functions
 * @module
 */
import type { z } from 'zod'
import { closestText } from '../ask/nearest-name.ts'
import type { Sent, WholeKind } from '../ask/read-arguments.ts'
import {
  type AnyFunction,
  type FunctionManifest,
  functionsNamed,
  namedArguments,
} from '../define-function.ts'
import { errors } from '../errors.ts'

/** PostgreSQL's names of what a whole body is. */
const wholeTypes: Readonly<Record<Exclude<WholeKind, null>, string>> = {
  json: 'json/jsonb',
  text: 'text',
  xml: 'xml',
  bytes: 'bytea',
}

/**
 * @param known the functions of the name that the caller may call
 * @param callable those of all names, of which hints are made when none fits
 * @throws AtollError `PGRST202` when none fits, `PGRST203` when several do
 */
export function chooseFunction(
  name: string,
  sent: Sent,
  known: readonly AnyFunction[],
  callable: () => FunctionManifest,
  schema: string,
): AnyFunction {
  const fitting = known.filter((definition) => fits(definition, sent))
  const whole = known.filter(
    ({ input }) => 'body' in input && sent.whole.kind !== null && input.body === sent.whole.kind,
  )
  const [chosen, ...others] = fitting.length > 0 ? fitting : whole
  if (chosen === undefined) throw notFound(name, sent, callable(), schema)
  if (others.length > 0) {
    throw errors.ambiguousFunction([chosen, ...others].map((one) => signature(name, one, schema)))
  }
  return chosen
}

/** Whether an argument must come. */
export function isRequired(type: z.ZodType): boolean {
  return !type.safeParse(undefined).success
}

function fits(definition: AnyFunction, { named }: Sent): boolean {
  if (named === null || 'body' in definition.input) return false
  const known = namedArguments(definition)
  return (
    Object.keys(named).every((key) => Object.hasOwn(known, key)) &&
    Object.entries(known).every(([key, type]) => Object.hasOwn(named, key) || !isRequired(type))
  )
}

/** `test.add(a => , b => )` says nothing of types, which here are what the app's schemas say. */
function signature(name: string, definition: AnyFunction, schema: string): string {
  const { input } = definition
  const list = 'body' in input ? wholeTypes[input.body] : Object.keys(namedArguments(definition)).join(', ')
  return `${schema}.${name}(${list})`
}

function notFound(name: string, { named, whole }: Sent, callable: FunctionManifest, schema: string): Error {
  const full = `${schema}.${name}`
  const names = Object.keys(named ?? {})
  const list = names.join(', ')
  const called =
    named === null ? full : names.length === 0 ? `${full} without parameters` : `${full}(${list})`
  const single = whole.kind === null ? '' : ` with a single unnamed ${wholeTypes[whole.kind]} parameter`
  const parameters =
    names.length === 0 ? ' without parameters' : ` with parameter${names.length > 1 ? 's' : ''} ${list}`
  const searched =
    named === null
      ? `${full}${single}`
      : `${full}${parameters}${single && names.length > 0 ? ` or${single}` : ''}`
  return errors.noFunction(
    `Could not find the function ${called} in the schema cache`,
    `Searched for the function ${searched}, but no matches were found in the schema cache.`,
    hintFor(name, named === null ? null : names, callable, schema),
  )
}

/** The nearest name; or of a function that is there, the arguments that are most like those that came. */
function hintFor(
  name: string,
  names: readonly string[] | null,
  callable: FunctionManifest,
  schema: string,
): string | null {
  const known = functionsNamed(callable, name)
  const perhaps = `Perhaps you meant to call the function ${schema}.`
  if (known.length === 0) {
    const nearest = closestText(name, Object.keys(callable))
    return nearest === null ? null : `${perhaps}${nearest}`
  }
  if (names === null) return null
  const lists = known.map((definition) => `(${Object.keys(namedArguments(definition)).join(', ')})`)
  const nearest = closestText(`(${names.join(', ')})`, lists)
  return nearest === null ? null : `${perhaps}${name}${nearest}`
}
