/**
 * Payloads of jobs. Small ones lie in the job's row; one that is larger than a queue's message may be lies in R2, under the
 * job's id.
 * @module
 */
import { errors } from './errors.ts'

/** As Cloudflare Queues bound a message: 128 KB. */
export const maxInlineBytes = 128_000

const prefix = '_atoll/jobs/'

export class PayloadStore {
  readonly #bucket: R2Bucket | null

  constructor(bucket: R2Bucket | null) {
    this.#bucket = bucket
  }

  /**
   * Stores a payload before its job is committed.
   *
   * @returns what belongs into the job's row
   * @throws AtollError when it is large and there is no bucket
   */
  async put(id: string, payload: string): Promise<string | null> {
    // A character is at most three bytes of UTF-8.
    if (payload.length * 3 <= maxInlineBytes) return payload
    if (new TextEncoder().encode(payload).byteLength <= maxInlineBytes) return payload
    if (this.#bucket === null) throw errors.payloadTooLarge(maxInlineBytes)
    await this.#bucket.put(prefix + id, payload)
    return null
  }

  /** @param inline what the job's row has */
  async get(id: string, inline: string | null): Promise<string> {
    if (inline !== null) return inline
    const stored = await this.#bucket?.get(prefix + id)
    if (!stored) throw new Error(`the payload of job ${id} is not in R2`)
    return stored.text()
  }

  async remove(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#bucket?.delete(ids.map((id) => prefix + id))
  }

  /**
   * Ids of payloads that were stored some time ago, of one database's jobs; those whose job was never committed are nobody's.
   *
   * @param after where to begin, from the last answer
   */
  async list(
    database: string,
    before: number,
    after: string | null,
  ): Promise<{ readonly ids: readonly string[]; readonly after: string | null }> {
    if (this.#bucket === null) return { ids: [], after: null }
    const listed = await this.#bucket.list({
      prefix: `${prefix}${database}.`,
      limit: 500,
      ...(after === null ? {} : { cursor: after }),
    })
    const old = listed.objects.filter(({ uploaded }) => uploaded.getTime() < before)
    return {
      ids: old.map(({ key }) => key.slice(prefix.length)),
      after: listed.truncated ? listed.cursor : null,
    }
  }
}
