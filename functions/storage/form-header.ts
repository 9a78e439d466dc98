/**
 * Headers with parameters, as clients write them in forms: `form-data; name="a"; filename="b"`.
 *
 * RFC 7578 says UTF-8 in quotation marks, HTML that a quotation mark inside is `%22` and a backslash only itself, some clients
 * write `\"`, and others RFC 5987's `filename*=UTF-8''…`. Parsers of HTTP headers take less: their characters end at U+00FF.
 * @module
 */

export interface FormHeader {
  /** In lower case: `form-data`, `text/plain`. */
  readonly value: string
  /** Their names are in lower case. One that is there encoded, too, is the encoded one. */
  readonly parameters: ReadonlyMap<string, string>
}

const parameterOf = (quoted: string) =>
  new RegExp(`;\\s*([\\w!#$%&'*+.^\`|~-]+)\\s*=\\s*(?:"(${quoted})"\\s*|([^;"]*))`, 'gy')

/** What is between quotation marks, by RFC 9110 and as browsers write it. */
const grammars = [parameterOf('(?:[^"\\\\]|\\\\[^])*'), parameterOf('[^"]*')]

/** @returns null for what is no such header */
export function readFormHeader(text: string): FormHeader | null {
  const [value = ''] = /^[^;]*/.exec(text) ?? []
  for (const grammar of grammars) {
    const parameters = readParameters(text, value.length, grammar)
    if (parameters !== null) return { value: value.trim().toLowerCase(), parameters }
  }
  return null
}

function readParameters(text: string, start: number, grammar: RegExp): Map<string, string> | null {
  const parameters = new Map<string, string>()
  let end = start
  grammar.lastIndex = start
  for (let found = grammar.exec(text); found !== null; found = grammar.exec(text)) {
    const [, name = '', quoted, bare = ''] = found
    parameters.set(name.toLowerCase(), quoted === undefined ? bare.trim() : unescapeQuoted(quoted))
    end = grammar.lastIndex
  }
  if (!/^;?\s*$/.test(text.slice(end))) return null
  for (const [name, value] of [...parameters]) {
    if (!name.endsWith('*')) continue
    const plain = name.slice(0, -1)
    const decoded = decodeExtended(value)
    // What cannot be decoded is still better than no name, which makes a field of a file.
    if (decoded !== null || !parameters.has(plain)) parameters.set(plain, decoded ?? value)
  }
  return parameters
}

const escaped: Readonly<Record<string, string>> = { '\\"': '"', '%22': '"', '%0D': '\r', '%0A': '\n' }

function unescapeQuoted(text: string): string {
  return text.replace(/\\"|%22|%0D|%0A/gi, (found) => escaped[found.toUpperCase()] as string)
}

/** RFC 5987: character set, language, and bytes as `%XX`. */
function decodeExtended(text: string): string | null {
  const [, charset, encoded = ''] = /^(utf-8|iso-8859-1)'[^']*'(.*)$/is.exec(text) ?? []
  if (charset === undefined) return null
  if (charset.toLowerCase() !== 'utf-8') {
    return encoded.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
  }
  try {
    return decodeURIComponent(encoded)
  } catch {
    return null
  }
}
