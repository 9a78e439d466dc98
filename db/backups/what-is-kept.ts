/**
 * Atoll's own tables, one by one: what a backup does with them, and why. A test holds this list to what the databases have.
 * @module
 */

/** `logged`: as the app's rows, by the change log. `whole`: read in the last transaction, up to a bound. `remade`: made again from its truth. `out`: left out. */
export type Decision = 'logged' | 'whole' | 'remade' | 'out'

export interface Kept {
  readonly table: string
  readonly decision: Decision
  readonly why: string
}

const row = (table: string, decision: Decision, why: string): Kept => ({ table, decision, why })

export const decisions: readonly Kept[] = [
  row('_atoll_buckets', 'logged', 'truth: buckets of files'),
  row(
    '_atoll_objects',
    'logged',
    "truth: what names of files lead to; the files' bytes are not in the backup",
  ),
  row('_atoll_jobs', 'whole', 'truth: jobs that are not over; those that are over are left out'),
  row('_atoll_job_steps', 'whole', 'results of steps of jobs that are not over'),
  row('_atoll_dead_letters', 'whole', 'truth: jobs that were given up'),
  row('_atoll_sequences', 'whole', 'numbers that were given out are not given out again'),
  row('_atoll_unique', 'remade', 'from the rows that have the values'),
  row(
    '_atoll_slots',
    'remade',
    "a restore routes rows by its own project's map; the backup's is in the manifest",
  ),
  row('_atoll_shard', 'remade', 'as _atoll_slots'),
  row('_atoll_cluster', 'remade', 'as _atoll_slots'),
  row('_atoll_shard_map', 'remade', 'as _atoll_slots'),
  row('_atoll_shards', 'remade', 'as _atoll_slots'),
  row('_atoll_crc16', 'remade', 'the same everywhere'),
  row('d1_migrations', 'remade', 'names and hashes are in the manifest'),
  row('_atoll_migrations', 'remade', 'as d1_migrations'),
  row('_atoll_placements', 'remade', 'by db:migrate, from the code'),
  row('_atoll_state', 'remade', 'by db:migrate and relays: when schedules are due, what lookups are filled'),
  row('_atoll_reference_log', 'out', 'copies on the shards are made again'),
  row(
    '_atoll_changes',
    'out',
    'positions begin anew; changes that had started no job yet start none after a restore',
  ),
  row('_atoll_cursors', 'out', 'as _atoll_changes'),
  row('_atoll_unique_tokens', 'out', 'revokes writers that were at work then'),
  row(
    '_atoll_idempotency',
    'out',
    'keys of writes live for a day: one that is sent again after a restore is a new write',
  ),
  row('_atoll_idempotency_use', 'out', 'as _atoll_idempotency'),
  row(
    '_atoll_job_effects',
    'out',
    'marks of effects: a job that is restored repeats what it had done by `once`',
  ),
  row('_atoll_gone_blobs', 'out', 'bytes that nobody names, and that go'),
  row('_atoll_uploads', 'out', 'uploads that were under way cannot go on elsewhere'),
  row('_atoll_upload_callers', 'out', 'as _atoll_uploads'),
  row('_atoll_moves', 'out', 'moves of slots are of this project and time'),
  row('_atoll_incoming', 'out', 'as _atoll_moves'),
  row('_atoll_mover', 'out', 'as _atoll_moves'),
  row('_atoll_incarnation', 'out', 'the life of one database'),
  row('_atoll_witnesses', 'out', 'as _atoll_incarnation'),
  row('_atoll_conflicts', 'out', 'found again where they are'),
  row('_atoll_backups', 'out', 'what is under way now'),
  row('_atoll_backup_parts', 'out', 'as _atoll_backups'),
  row('_atoll_guard', 'out', 'always empty outside a transaction'),
  row('_atoll_undone', 'out', 'as _atoll_guard'),
  row('_atoll_permits', 'out', 'as _atoll_guard'),
  row('_atoll_retiring', 'out', 'rows of reference tables that were about to go'),
]

/** What is no table of a database. */
export const leftOutElsewhere: readonly { readonly what: string; readonly why: string }[] = [
  { what: 'search indexes, copies of reference tables, lookups', why: 'made again from their truths' },
  { what: 'caches and metrics', why: 'no truth' },
  { what: 'payloads of jobs that lie in R2', why: 'their jobs are left out, and counted' },
  { what: 'bytes of files', why: 'they stay in their bucket, under the names that the rows have' },
]
