import { SourceMap } from 'node:module'
import { relative, resolve } from 'node:path'

/** A position in the bundle, as stack traces have it. */
const position = /(?:file:\/\/\/?)?[^\s()"']*\bindex\.mjs:(\d+):(\d+)/g

const inlineMap = /\/\/# sourceMappingURL=data:application\/json;base64,([\w+/=]+)\s*$/

/**
 * Says lines of the app's and the engine's own files where stack traces name lines of their bundle, which workerd runs.
 *
 * @param bundle with its source map inside
 * @param folder what paths are told from; the sources' own are relative to it
 */
export function createStackMapper(bundle: string, folder: string): (text: string) => string {
  // Megabytes, which most runs never look at.
  let map: SourceMap | null | undefined
  const read = () => {
    const [, encoded] = inlineMap.exec(bundle) ?? []
    return encoded === undefined ? null : new SourceMap(JSON.parse(Buffer.from(encoded, 'base64').toString()))
  }
  return (text) =>
    text.replace(position, (whole, line, column) => {
      map ??= read()
      const origin = map?.findOrigin(Number(line), Number(column))
      if (origin === undefined || !('fileName' in origin)) return whole
      const file = relative(folder, resolve(folder, origin.fileName))
      return `${file}:${origin.lineNumber}:${origin.columnNumber}`
    })
}
