/**
 * `/admin/users`: accounts, for the secret key.
 * @module
 */
import { Hono } from 'hono'
import { z } from 'zod'
import type { BoundStatement } from '../../../db/sql/statement.ts'
import { emailOf, phoneOf } from '../addresses.ts'
import { TakenError } from '../auth-database.ts'
import { bannedUntil } from '../ban.ts'
import { type AddressChange, changeAddress } from '../change-address.ts'
import { createAccount } from '../create-account.ts'
import { deleteAccount } from '../delete-account.ts'
import { errors } from '../errors.ts'
import { listUsers } from '../list-users.ts'
import { dropTokens } from '../one-time-tokens.ts'
import { hashPassword } from '../passwords/hash-password.ts'
import { isKept } from '../passwords/imported-hashes.ts'
import { checkPassword } from '../passwords/password-rules.ts'
import { insertAudit } from '../rows/audit-rows.ts'
import { endSessions } from '../rows/session-rows.ts'
import { type Account, shownUser, updateUser } from '../rows/user-rows.ts'
import { answer } from '../told.ts'
import { type AuthEnv, type AuthVisit, isUuid, readJson, requireAdmin } from '../visit.ts'
import { metadata } from './sign-up.ts'
import { mergedMetadata } from './user.ts'

const body = z.object({
  id: z.string().nullish(),
  role: z.string().nullish(),
  email: z.string().nullish(),
  phone: z.string().nullish(),
  password: z.string().nullish(),
  password_hash: z.string().max(1000).nullish(),
  email_confirm: z.boolean().nullish(),
  phone_confirm: z.boolean().nullish(),
  user_metadata: metadata.nullish(),
  app_metadata: metadata.nullish(),
  ban_duration: z.string().nullish(),
})

type Body = z.output<typeof body>

const deleteBody = z.object({ should_soft_delete: z.boolean().nullish() })

export const adminUserRoutes = new Hono<AuthEnv>()
  .get('/admin/users', async (c) => {
    requireAdmin(c.env.visit)
    return listUsers(c.env.visit)
  })
  .post('/admin/users', async (c) => {
    requireAdmin(c.env.visit)
    return answer(shownUser(await create(c.env.visit)))
  })
  .get('/admin/users/:id', async (c) => answer(shownUser(await wanted(c.env.visit, c.req.param('id')))))
  .put('/admin/users/:id', async (c) => {
    const { visit } = c.env
    return answer(shownUser(await change(visit, await wanted(visit, c.req.param('id')))))
  })
  .delete('/admin/users/:id', async (c) => {
    const { visit } = c.env
    const account = await wanted(visit, c.req.param('id'))
    const { should_soft_delete: isSoft } = await readJson(visit, deleteBody)
    await deleteAccount(visit, account, isSoft === true)
    return answer({})
  })

/** The account of an id, for the secret key. @throws 401, 403, 404 */
export async function wanted(visit: AuthVisit, id: string): Promise<Account> {
  requireAdmin(visit)
  if (!isUuid(id)) throw errors.validation('user_id must be an UUID')
  const account = await visit.database.account(id)
  if (account === null) throw errors.userNotFound()
  return account
}

async function passwordHashOf(
  { terms }: AuthVisit,
  { password, password_hash: hash }: Body,
): Promise<string | null> {
  if (password && hash) throw errors.validation('Only a password or a password hash should be provided')
  if (hash) {
    if (!isKept(hash)) throw errors.validation('The password hash is of no kind that is known')
    return hash
  }
  if (!password) return null
  await checkPassword(password, terms)
  return hashPassword(password, terms.passwords.scrypt)
}

async function create(visit: AuthVisit): Promise<Account> {
  const sent = await readJson(visit, body)
  if (!sent.email && !sent.phone)
    throw errors.validation('Cannot create a user without either an email or phone')
  if (sent.id && !isUuid(sent.id)) throw errors.validation('ID must conform to the uuid v4 format')
  checkRole(visit, sent.role)
  try {
    return await createAccount(visit, {
      ...(sent.id ? { id: sent.id } : {}),
      method: 'admin',
      email: sent.email ? emailOf(sent.email) : null,
      phone: sent.phone ? phoneOf(sent.phone) : null,
      passwordHash: await passwordHashOf(visit, sent),
      isEmailConfirmed: sent.email_confirm === true,
      isPhoneConfirmed: sent.phone_confirm === true,
      userMetadata: sent.user_metadata ?? {},
      appMetadata: sent.app_metadata ?? {},
      bannedUntil: sent.ban_duration ? bannedUntil(sent.ban_duration, visit.now) : null,
      ...(sent.role ? { role: sent.role } : {}),
    })
  } catch (error) {
    throw takenError(error)
  }
}

function takenError(error: unknown): unknown {
  if (!(error instanceof TakenError)) return error
  return error.column === 'phone' ? errors.phoneExists() : errors.emailExists()
}

/** A role that nothing declares would be refused with every token. */
function checkRole({ engine }: AuthVisit, role: string | null | undefined): void {
  if (role && !engine.roles.has(role)) throw errors.validation(`role "${role.slice(0, 50)}" does not exist`)
}

async function change(visit: AuthVisit, account: Account): Promise<Account> {
  const { database, now, ip } = visit
  const sent = await readJson(visit, body)
  checkRole(visit, sent.role)
  const { user } = account
  const { id } = user
  const passwordHash = await passwordHashOf(visit, sent)
  const ban = sent.ban_duration ? bannedUntil(sent.ban_duration, now) : undefined
  const addresses: AddressChange[] = []
  let changed = user
  for (const by of ['email', 'phone'] as const) {
    const typed = sent[by]
    const address = typed ? (by === 'email' ? emailOf(typed) : phoneOf(typed)) : null
    if (address === null || address === user[by]) continue
    const isConfirmed = by === 'email' ? sent.email_confirm !== false : sent.phone_confirm !== false
    const one = changeAddress({ ...account, user: changed }, by, address, now, isConfirmed)
    changed = one.user
    addresses.push(one)
  }
  const statements: BoundStatement[] = [
    ...addresses.flatMap((one) => one.statements),
    updateUser(id, {
      updated_at: now,
      ...(sent.role ? { role: sent.role } : {}),
      ...(sent.user_metadata
        ? { user_metadata: mergedMetadata(user.user_metadata, sent.user_metadata) }
        : {}),
      ...(passwordHash === null ? {} : { password_hash: passwordHash }),
      ...(sent.app_metadata ? { app_metadata: mergedMetadata(changed.app_metadata, sent.app_metadata) } : {}),
      ...(sent.email_confirm === true && changed.email !== null
        ? { email_confirmed_at: changed.email_confirmed_at ?? now }
        : {}),
      ...(sent.phone_confirm === true && changed.phone !== null
        ? { phone_confirmed_at: changed.phone_confirmed_at ?? now }
        : {}),
      ...(ban === undefined ? {} : { banned_until: ban }),
    }),
    // What somebody may have stolen ends with the password, and a ban with all that goes on.
    ...(passwordHash !== null || (ban ?? null) !== null
      ? [endSessions(id, 'all'), dropTokens(id, 'all')]
      : []),
    insertAudit(
      {
        subject: id,
        action: 'user_modified',
        actor: 'service_role',
        ip,
        data: { fields: Object.keys(sent) },
      },
      now,
    ),
  ]
  try {
    await database.write(
      id,
      statements,
      addresses.flatMap(({ values }) => values),
      addresses.flatMap(({ freed }) => freed),
    )
  } catch (error) {
    throw takenError(error)
  }
  return (await database.account(id)) ?? account
}
