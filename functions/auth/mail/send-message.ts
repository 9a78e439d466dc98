/**
 * Mails and text messages go out as jobs, so that those that fail are tried again, and nobody waits for a mail server. What a job keeps of them is
 * sealed: they hold links and codes.
 * @module
 */
import { z } from 'zod'
import { readKeys } from '../../core/config.ts'
import { type EngineJob, type EngineServices, type JobContext, knownJob, sendTo } from '../../jobs/area.ts'
import {
  type AuthTerms,
  authUserOf,
  type Mail,
  type MailContent,
  type MailKind,
  type Sms,
} from '../declarations.ts'
import { errors } from '../errors.ts'
import { emit } from '../events.ts'
import type { MadeToken } from '../one-time-tokens.ts'
import type { UserRow } from '../rows/user-rows.ts'
import { Secrets } from '../secrets.ts'
import type { AuthVisit } from '../visit.ts'
import { catchMail } from './caught-mail.ts'
import { builtInMail } from './templates.ts'

export const messageJob = 'atoll:auth-message'

/** What a job sends. */
type Message = { readonly kind: 'mail'; readonly mail: Mail } | { readonly kind: 'sms'; readonly sms: Sms }

const sealed = z.object({ sealed: z.string() })
/** Links and codes are over after an hour, and nobody waits for them that long. */
const retry = { maxAttempts: 6, minDelaySeconds: 5, maxDelaySeconds: 300, factor: 3 }

/** The jobs of the area, for what the app says of senders. */
export function authJobs(terms: AuthTerms | null): readonly EngineJob[] {
  if (terms === null) return []
  return [
    {
      name: messageJob,
      input: sealed,
      queue: 'default',
      timeoutSeconds: 30,
      deadlineSeconds: 3600,
      retry,
      run: async (context: JobContext<z.output<typeof sealed>>, services: EngineServices) => {
        const secrets = new Secrets(readKeys(context.env as never))
        const message = (await secrets.sealer('message').open(context.input.sealed)) as Message | null
        if (message === null) throw new Error('the message cannot be read: ATOLL_JWT_SECRET has changed')
        await send(terms, message, context, services)
      },
    },
  ]
}

async function send(
  terms: AuthTerms,
  message: Message,
  { env, id }: Pick<JobContext<unknown>, 'env' | 'id'>,
  { setting, cluster }: EngineServices,
): Promise<void> {
  const { kind } = message
  if (setting('ATOLL_MAIL') === 'catch') {
    const session = cluster.open({ reads: false, seen: new Map() })
    const caught =
      kind === 'mail'
        ? { ...message.mail, html: message.mail.html ?? null }
        : { to: message.sms.to, subject: 'Text message', text: message.sms.text, html: null }
    await catchMail(session, caught)
    return
  }
  try {
    if (kind === 'mail') {
      if (terms.sendMail === null) throw errors.noSender('mails')
      await terms.sendMail(message.mail, { env, id })
    } else {
      if (terms.sendSms === null) throw errors.noSender('text messages')
      await terms.sendSms(message.sms, { env, id })
    }
  } catch (error) {
    emit({ kind: 'auth-message-failed', what: kind, error })
    throw error
  }
}

/** Sends a message after the answer: how long it takes tells nobody whether there was anything to send. */
function sendLater({ services, later }: AuthVisit, message: Message, userId: string): void {
  later(
    (async () => {
      const job = knownJob(services.registry, messageJob)
      const text = await services.authSecrets.sealer('message').seal(message)
      const sent = (name: string) => {
        if (services.relay) later(services.relay.carry(name).catch(() => undefined))
      }
      await sendTo(services, { sent }, job, { sealed: text }, { of: userId })
    })().catch((error) => emit({ kind: 'auth-message-failed', what: message.kind, error })),
  )
}

/** @throws 501 where mails can be neither sent nor caught */
export function checkCanMail({ terms, services }: Pick<AuthVisit, 'terms' | 'services'>): void {
  if (terms.sendMail === null && !services.catchesMail) throw errors.noSender('mails')
}

/** @throws 501 where text messages can be neither sent nor caught */
export function checkCanText({ terms, services }: Pick<AuthVisit, 'terms' | 'services'>): void {
  if (terms.sendSms === null && !services.catchesMail) throw errors.noSender('text messages')
}

/** What a link in a mail does, in the words of `verifyOtp`. */
const types: Readonly<Record<Exclude<MailKind, 'reauthentication'>, string>> = {
  confirmation: 'signup',
  invite: 'invite',
  magiclink: 'magiclink',
  recovery: 'recovery',
  'email-change': 'email_change',
}

/** The link that a mail has: it uses up the token, and sends its reader where they wanted to go. */
export function verifyLink(
  { url }: Pick<AuthVisit, 'url'>,
  kind: Exclude<MailKind, 'reauthentication'>,
  token: string,
  redirectTo: string,
): string {
  const query = new URLSearchParams({ token, type: types[kind], redirect_to: redirectTo })
  return `${url.origin}/auth/v1/verify?${query}`
}

/** A mail with a token to an address. @param newEmail of a change of the address: the new one */
export function mailToken(
  visit: AuthVisit,
  user: UserRow,
  kind: MailKind,
  to: string,
  { link, code }: MadeToken,
  redirectTo: string,
  newEmail: string | null = null,
): void {
  const content: MailContent = {
    kind,
    to,
    link: kind === 'reauthentication' ? null : verifyLink(visit, kind, link, redirectTo),
    code,
    tokenHash: link,
    redirectTo,
    newEmail,
    user: authUserOf(user),
    language: languageOf(visit, user),
  }
  const mail = visit.terms.templates[kind]?.(content) ?? builtInMail(content)
  sendLater(visit, { kind: 'mail', mail: { ...mail, to } }, user.id)
}

export function textToken(
  visit: AuthVisit,
  user: UserRow,
  to: string,
  { code }: MadeToken,
  channel: Sms['channel'],
): void {
  const text = visit.terms.smsText(code, authUserOf(user))
  sendLater(visit, { kind: 'sms', sms: { to, text, channel } }, user.id)
}

function languageOf({ raw }: AuthVisit, { user_metadata: { locale } }: UserRow): string | null {
  if (typeof locale === 'string') return locale
  const [first = ''] = (raw.headers.get('accept-language') ?? '').split(/[,;]/)
  return /^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$/.test(first.trim()) ? first.trim() : null
}
