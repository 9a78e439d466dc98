import type { Catalog } from './catalog.ts'
import type { RowRule } from './grants.ts'
import type { PolicyCaller } from './policy.ts'

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
        problems.push(`table ${name}, role ${role}, ${what}: ${problem}`)
      }
    }
  }
  return problems
}

function failureOf(rule: RowRule, role: string): string | null {
  return rule.kind === 'all' ? null : failureWithoutClaims(role, (caller) => rule.decide(caller))
}

/** What goes wrong when a caller without claims is asked about; null when nothing does. */
export function failureWithoutClaims(role: string, ask: (caller: PolicyCaller) => unknown): string | null {
  const claims = new Proxy({}, { get: () => null })
  try {
    ask({ role, sub: null, claims, values: claims })
    return null
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return `for a caller without claims it fails (${reason}); a claim that is missing is null, and false denies`
  }
}
