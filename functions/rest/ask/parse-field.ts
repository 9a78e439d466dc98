import type { Field, JsonStep } from './request.ts'
import type { Scanner } from './scanner.ts'

/** `name` or `name->key->0->>key`. */
export function parseField(scanner: Scanner): Field {
  const name = scanner.name()
  return { name, path: parseJsonPath(scanner) }
}

export function parseJsonPath(scanner: Scanner): JsonStep[] {
  const path: JsonStep[] = []
  for (;;) {
    const asText = scanner.take('->>')
    if (!asText && !scanner.take('->')) return path
    path.push({ at: parseKey(scanner), asText })
  }
}

function parseKey(scanner: Scanner): string | number {
  const index = scanner.match(/-?\d+(?=$|->|::|[.,)])/y)
  if (index) return Number(index[0])
  if (scanner.peek() === '"') return scanner.quoted()
  if (scanner.take('-')) scanner.fail('digit')
  const key = scanner.match(/(?:(?!->|::)[^.,>():])+/y)
  if (!key) scanner.fail('"-", digit or any non reserved character different from: .,>()')
  return key[0]
}
