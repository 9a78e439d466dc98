import type { Catalog } from './catalog.ts'
import type { RowRule } from './grants.ts'

/**
 * Asks every condition once, as a caller without claims: what it then throws it would throw at a request.
 *
 * @returns problems, with table, role and remedy
 */
export function checkPolicies(catalog: Catalog): string[] {
  const problems: string[] = []
  for (const { name, rights } of catalog.tables.values()) {
    for (const [role, { refer, ...grants }] of rights) {
      const rules: (readonly [what: string, rule: RowRule])[] = Object.entries(grants).flatMap(
        ([operation, grant]) =>
          grant === null
            ? []
            : [[`${operation}, where`, grant.where] as const, [`${operation}, check`, grant.check] as const],
      )
      if (refer !== null) rules.push(['refer', refer])
      const asked = new Set<RowRule>()
      for (const [what, rule] of rules) {
        // One condition may stand for several of them.
        const problem = asked.has(rule) ? null : failureOf(rule, role)
        asked.add(rule)
        if (problem === null) continue
        problems.push(
          `table ${name}, role ${role}, ${what}: for a caller without claims it fails (${problem}); ` +
            `a claim that is missing is null, and false denies`,
        )
      }
    }
  }
  return problems
}

function failureOf(rule: RowRule, role: string): string | null {
  if (rule.kind === 'all') return null
  const claims = new Proxy({}, { get: () => null })
  try {
    rule.decide({ role, sub: null, claims })
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
