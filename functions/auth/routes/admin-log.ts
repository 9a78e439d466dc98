/**
 * The audit log and the signing keys, for the secret key.
 * @module
 */
import { Hono } from 'hono'
import { z } from 'zod'
import { errors } from '../errors.ts'
import { insertAudit, shownAudit } from '../rows/audit-rows.ts'
import { answer } from '../told.ts'
import { type AuthEnv, readJson, requireAdmin } from '../visit.ts'

const maxEntries = 1000

const rotateBody = z.object({ urgent: z.boolean().nullish() })

export const adminLogRoutes = new Hono<AuthEnv>()
  /** `?subject=` a user's id, whose entries lie on one shard; without it the latest of all. `?before=` the `created_at` that the last answer ended with. */
  .get('/admin/audit', async (c) => {
    const { visit } = c.env
    requireAdmin(visit)
    const query = visit.url.searchParams
    const perPage = Number(query.get('per_page') ?? 50)
    const before = query.has('before') ? Date.parse(query.get('before') as string) : visit.now + 1000
    if (!Number.isInteger(perPage) || perPage < 1 || perPage > maxEntries || Number.isNaN(before))
      throw errors.validation(`per_page is from 1 to ${maxEntries}, and before a time`)
    const subject = query.get('subject')
    const statement = {
      text: `SELECT * FROM auth_audit_log WHERE at < CAST(?1 AS INTEGER) ${subject === null ? '' : 'AND subject = ?2'} ORDER BY at DESC, id DESC LIMIT ${perPage}`,
      parameters: subject === null ? [String(before)] : [String(before), subject],
    }
    const found =
      subject === null
        ? await visit.database.everywhere([statement])
        : [await visit.database.at(subject, [statement])]
    const entries = found.flatMap(([rows = []]) => rows).sort((a, b) => Number(b.at) - Number(a.at))
    return answer(entries.slice(0, perPage).map(shownAudit))
  })
  /** Another key signs, in a quarter of an hour; with `urgent` at once, and no token of those before it is taken any more. */
  .post('/admin/signing-keys', async (c) => {
    const { visit } = c.env
    requireAdmin(visit)
    const { urgent } = await readJson(visit, rotateBody)
    const id = await visit.services.signingKeys.rotate(
      visit.terms.tokens.accessSeconds * 1000,
      urgent === true,
    )
    await visit.database.at(id, [
      insertAudit(
        {
          subject: id,
          action: 'signing_key_made',
          actor: 'service_role',
          ip: visit.ip,
          data: { urgent: urgent === true },
        },
        visit.now,
      ),
    ])
    return answer({ kid: id })
  })
