/**
 * What a changelog says that a fork must do, version by version.
 * @module
 */

/** A version's own part. */
export interface Duties {
  readonly version: string
  /** The lines below `### What a fork must do`. */
  readonly lines: readonly string[]
}

/**
 * @param from the fork's version: only what came after it is told
 * @returns newest first
 */
export function forkDuties(changelog: string, from: string): Duties[] {
  const parts = changelog.split(/^## /m).slice(1)
  return parts.flatMap((part) => {
    const [, version] = /^(\d+\.\d+\.\d+|Unreleased)/.exec(part) ?? []
    if (version === undefined || (version !== 'Unreleased' && compareVersions(version, from) <= 0)) return []
    const [, duties = ''] = /^### What a fork must do\n([\s\S]*?)(?=^###? |(?![\s\S]))/m.exec(part) ?? []
    const lines = duties.split('\n').filter((line) => line.trim() !== '')
    return lines.length === 0 ? [] : [{ version, lines }]
  })
}

/** Below 0 when `a` is the older; versions are three numbers. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split('.').map(Number)) as [number[], number[]]
  for (const at of [0, 1, 2]) if (left[at] !== right[at]) return (left[at] ?? 0) - (right[at] ?? 0)
  return 0
}
