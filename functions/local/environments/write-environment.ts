/**
 * Writes into the text of `wrangler.toml` what an environment lacks; all that stands there stays as it is.
 * @module
 */
import { environmentsOf, type Missing, missingOf, type Table } from './environment.ts'

/** @returns the text with the environment, new or completed */
export function withEnvironment(toml: string, raw: Table, env: string): string {
  const missing = missingOf(raw, env)
  const isNew = !environmentsOf(raw).has(env)
  let text = toml
  const blocks: string[] = []
  for (const [path, fields] of missing.fields) {
    const head = `[env.${env}.${path}]`
    const lines = Object.entries(fields).map(([name, value]) => `${keyOf(name)} = ${tomlOf(value)}`)
    const start = text.split('\n').indexOf(head)
    // A table can be begun only once.
    if (start < 0) blocks.push([head, ...lines].join('\n'))
    else
      text = text
        .split('\n')
        .toSpliced(start + 1, 0, ...lines)
        .join('\n')
  }
  blocks.push(...entryBlocks(missing, env))
  if (!isNew && blocks.length === 0) return text
  const intro = isNew ? [introOf(env)] : []
  return `${text.trimEnd()}\n\n${[...intro, ...blocks].join('\n\n')}\n`
}

function introOf(env: string): string {
  return `# Environment ${env}: a Worker with databases, queues, a bucket and keys of its own (npm run deploy -- --env ${env}). Here stands what wrangler does
# not take over from above; \`npm run check\` tells what is missing, and \`npm run environments -- update\` writes it.
[env.${env}]`
}

function entryBlocks({ entries }: Missing, env: string): string[] {
  return [...entries].flatMap(([path, list]) =>
    list.map((entry) =>
      [
        `[[env.${env}.${path}]]`,
        ...Object.entries(entry).map(([name, value]) => `${keyOf(name)} = ${tomlOf(value)}`),
      ].join('\n'),
    ),
  )
}

const keyOf = (name: string) => (/^[\w-]+$/.test(name) ? name : JSON.stringify(name))

function tomlOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(tomlOf).join(', ')}]`
  if (typeof value === 'object' && value !== null)
    return `{ ${Object.entries(value)
      .map(([name, inner]) => `${keyOf(name)} = ${tomlOf(inner)}`)
      .join(', ')} }`
  // TOML's basic strings are JSON's, but for DEL.
  return JSON.stringify(value).replaceAll('\u007f', '\\u007f')
}
