/**
 * Databases and buckets of a Worker that dies at a chosen call: that one happens or does not, and none after it does.
 */
import { wrapDatabase } from './wrap-database.ts'

export class Death extends Error {
  override readonly name = 'Death'
}

/** A life of so many calls. */
export class Life {
  #left: number
  readonly #lastHappens: boolean

  constructor(calls: number, lastHappens: boolean) {
    this.#left = calls
    this.#lastHappens = lastHappens
  }

  get isOver(): boolean {
    return this.#left <= 0
  }

  async live<T>(call: () => Promise<T>): Promise<T> {
    if (this.isOver) throw new Death()
    this.#left--
    if (!this.isOver) return call()
    if (this.#lastHappens) await call()
    throw new Death()
  }
}

export function mortalDatabase(database: D1Database, life: Life): D1Database {
  return wrapDatabase((constraint) => {
    const session = database.withSession(constraint)
    return { session, getBookmark: () => session.getBookmark(), around: (call) => life.live(call) }
  })
}

export function mortalBucket(bucket: R2Bucket, life: Life): R2Bucket {
  const upload = (inner: R2MultipartUpload) => ({
    key: inner.key,
    uploadId: inner.uploadId,
    uploadPart: (number: number, value: never) => life.live(() => inner.uploadPart(number, value)),
    complete: (parts: R2UploadedPart[]) => life.live(() => inner.complete(parts)),
    abort: () => life.live(() => inner.abort()),
  })
  return {
    head: (key: string) => life.live(() => bucket.head(key)),
    get: (key: string, options?: never) => life.live(() => bucket.get(key, options as never)),
    put: (key: string, value: never, options?: never) =>
      life.live(() => bucket.put(key, value, options as never)),
    delete: (keys: string) => life.live(() => bucket.delete(keys)),
    list: (options?: never) => life.live(() => bucket.list(options)),
    createMultipartUpload: (key: string, options?: never) =>
      life.live(async () => upload(await bucket.createMultipartUpload(key, options))),
    resumeMultipartUpload: (key: string, id: string) => upload(bucket.resumeMultipartUpload(key, id)),
  } as unknown as R2Bucket
}
