import { type EmbedPlan, embedsOf, type ResourcePlan } from './plan.ts'

/** Which resource each of a plan's embedded ones is in. */
export class ResourceTree {
  readonly #holders = new Map<EmbedPlan, ResourcePlan>()

  constructor(root: ResourcePlan) {
    this.#add(root)
  }

  /** The resource that an embed belongs to. */
  holderOf(embed: EmbedPlan): ResourcePlan {
    return this.#holders.get(embed) as ResourcePlan
  }

  /** The resource that another is in, and as what; null for the root. */
  above(resource: ResourcePlan): { readonly embed: EmbedPlan; readonly resource: ResourcePlan } | null {
    for (const [embed, holder] of this.#holders) {
      if (embed.resource === resource) return { embed, resource: holder }
    }
    return null
  }

  /** Whether a policy stands before a resource's rows: its own, of the join table, or of what it is in. */
  isGuarded(resource: ResourcePlan): boolean {
    if (resource.policy.kind !== 'all') return true
    const above = this.above(resource)
    if (above === null) return false
    return (above.embed.junction?.policy.kind ?? 'all') !== 'all' || this.isGuarded(above.resource)
  }

  #add(resource: ResourcePlan): void {
    for (const { embed } of embedsOf(resource.output)) {
      this.#holders.set(embed, resource)
      this.#add(embed.resource)
    }
  }
}
