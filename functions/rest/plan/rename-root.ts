import type { FieldPlan, ResourcePlan } from './plan.ts'

/** The root under another alias, wherever its columns are named. */
export function renamed(root: ResourcePlan, alias: string): ResourcePlan {
  const field = (plan: FieldPlan): FieldPlan => (plan.alias === root.alias ? { ...plan, alias } : plan)
  return {
    ...root,
    alias,
    output: root.output.map((item) =>
      item.kind === 'column' ? { ...item, field: field(item.field) } : item,
    ),
    order: root.order.map((term) => ('output' in term.field ? term : { ...term, field: field(term.field) })),
  }
}
