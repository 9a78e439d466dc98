import type { ReadSetting } from '../core/setting.ts'

/**
 * The migrations that databases must have: not those that `npm run deploy` applies once this version answers, as they take away what
 * the version before it needs. It names them in a variable of the deployment.
 */
export function neededMigrations(migrations: readonly string[], setting: ReadSetting): readonly string[] {
  const later = setting('ATOLL_MIGRATIONS_TO_COME')?.split(',') ?? []
  return migrations.filter((name) => !later.includes(name))
}
