/**
 * `application/vnd.pgrst.plan`: how a read would be carried out, instead of its rows.
 * https://docs.postgrest.org/en/stable/references/observability.html#execution-plan
 * @module
 */

export interface PlanMedia {
  readonly format: 'json' | 'text'
  /** Whether it is carried out, too, and measured. */
  readonly analyze: boolean
  /** Whether the statements are told. */
  readonly verbose: boolean
  /** What would be answered otherwise, as `Accept` has it. */
  readonly accept: string
}

const form = /^\s*application\/vnd\.pgrst\.plan(?:\+(json|text))?\s*((?:;.*)?)$/i

/** Null when no plan is asked for. */
export function planMediaOf(accept: string): PlanMedia | null {
  const [, format = 'text', parameters = ''] = form.exec(accept) ?? []
  if (!form.test(accept)) return null
  const [, asked] = /;\s*for\s*=\s*"([^"]*)"/i.exec(parameters) ?? []
  const [, options = ''] = /;\s*options\s*=\s*([\w|]*)/i.exec(parameters) ?? []
  const words = options.toLowerCase().split('|')
  return {
    format: format.toLowerCase() as PlanMedia['format'],
    analyze: words.includes('analyze'),
    verbose: words.includes('verbose'),
    accept: asked ?? 'application/json',
  }
}
