import { buildCatalog, SchemaError } from './build-catalog.ts'
import type { Catalog } from './catalog.ts'
import { checkPolicies } from './check-policies.ts'
import type { TableDeclarations } from './declarations.ts'

/**
 * The catalog of an app's tables, with every policy asked once.
 *
 * @throws SchemaError when they cannot be served as they are
 */
export function readSchema(tables: TableDeclarations): Catalog {
  const catalog = buildCatalog(tables)
  const problems = checkPolicies(catalog)
  if (problems.length > 0) throw new SchemaError(problems)
  return catalog
}
