/**
 * What `DB` keeps of files: buckets, objects, and uploads that are under way. The bytes are in R2.
 * @module
 */
export const storageObjects: readonly string[] = [
  // `version` is part of signed addresses: those of a bucket that was deleted are worth nothing in one of the same name.
  `CREATE TABLE IF NOT EXISTS _atoll_buckets (id TEXT PRIMARY KEY, public INTEGER NOT NULL, size_limit INTEGER, mime_types TEXT,
   owner TEXT, version TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL)`,
  // `blob` is the key of its bytes in R2: another one for each version, so that nobody sees half of two.
  `CREATE TABLE IF NOT EXISTS _atoll_objects (bucket TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL UNIQUE,
   blob TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, mime TEXT NOT NULL, etag TEXT NOT NULL, sha256 TEXT, cache_control TEXT NOT NULL,
   metadata TEXT, owner TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL, PRIMARY KEY (bucket, name)) WITHOUT ROWID`,
  // Bytes that no row names any more, and since when: those that a backup may name are kept (`db/backups/keep.ts`).
  'CREATE TABLE IF NOT EXISTS _atoll_gone_blobs (blob TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID',
  `CREATE TRIGGER IF NOT EXISTS _atoll_objects_gone AFTER DELETE ON _atoll_objects
   BEGIN INSERT OR REPLACE INTO _atoll_gone_blobs VALUES (OLD.blob, CAST(unixepoch('subsec') * 1000 AS INTEGER)); END`,
  `CREATE TRIGGER IF NOT EXISTS _atoll_objects_replaced AFTER UPDATE OF blob ON _atoll_objects WHEN OLD.blob <> NEW.blob
   BEGIN INSERT OR REPLACE INTO _atoll_gone_blobs VALUES (OLD.blob, CAST(unixepoch('subsec') * 1000 AS INTEGER)); END`,
  // Uploads in parts: tus, and bodies whose length nobody knows before their end. `parts` is JSON of R2's parts; `tail` counts bytes
  // that are too few for a part yet and lie under `tail_key`; `size` is null while it is not known. `caller` is who signed the address
  // that it was begun with, `version` its bucket's. A row that is done is kept for those who ask how far it came.
  `CREATE TABLE IF NOT EXISTS _atoll_uploads (id TEXT PRIMARY KEY, bucket TEXT NOT NULL, name TEXT NOT NULL, blob TEXT NOT NULL,
   multipart TEXT NOT NULL, size INTEGER, received INTEGER NOT NULL DEFAULT 0, parts TEXT NOT NULL DEFAULT '[]',
   tail INTEGER NOT NULL DEFAULT 0, tail_key TEXT, mime TEXT NOT NULL, cache_control TEXT NOT NULL, metadata TEXT, owner TEXT,
   upsert INTEGER NOT NULL, secret INTEGER NOT NULL DEFAULT 0, caller TEXT, said TEXT,
   version TEXT, done INTEGER NOT NULL DEFAULT 0, lock TEXT, lock_until INTEGER NOT NULL DEFAULT 0,
   created INTEGER NOT NULL, expires INTEGER NOT NULL)`,
  'CREATE INDEX IF NOT EXISTS _atoll_uploads_expires ON _atoll_uploads (expires)',
  // Whose unfinished uploads these are, to count them by; triggers forget those that are done or gone.
  'CREATE TABLE IF NOT EXISTS _atoll_upload_callers (id TEXT PRIMARY KEY, caller TEXT NOT NULL) WITHOUT ROWID',
  'CREATE INDEX IF NOT EXISTS _atoll_upload_callers_caller ON _atoll_upload_callers (caller)',
  `CREATE TRIGGER IF NOT EXISTS _atoll_uploads_done AFTER UPDATE OF done ON _atoll_uploads WHEN NEW.done = 1
   BEGIN DELETE FROM _atoll_upload_callers WHERE id = NEW.id; END`,
  `CREATE TRIGGER IF NOT EXISTS _atoll_uploads_gone AFTER DELETE ON _atoll_uploads
   BEGIN DELETE FROM _atoll_upload_callers WHERE id = OLD.id; END`,
]
