/**
 * Cloudflare Turnstile: whoever signs up, signs in or has something sent shows that they are a person.
 * https://developers.cloudflare.com/turnstile/get-started/server-side-validation/
 * @module
 */
import { z } from 'zod'
import { errors } from './errors.ts'
import type { AuthVisit } from './visit.ts'

/** Part of the bodies that it guards. */
export const captchaPart = {
  gotrue_meta_security: z.object({ captcha_token: z.string().max(4096).optional() }).optional(),
}

const address = 'https://challenges.cloudflare.com/turnstile/v0/siteverify'
const timeoutMs = 5000
const verdict = z.object({
  success: z.boolean(),
  hostname: z.string().optional(),
  'error-codes': z.array(z.string()).optional(),
})

/** @throws 400 `captcha_failed`. The secret key need not show anything. */
export async function checkCaptcha(
  { terms: { captcha }, services: { setting }, caller, ip }: AuthVisit,
  body: { readonly gotrue_meta_security?: { readonly captcha_token?: string | undefined } | undefined },
): Promise<void> {
  if (!captcha || caller.role === 'service_role') return
  const token = body.gotrue_meta_security?.captcha_token ?? ''
  if (token === '') throw errors.captchaFailed('no captcha_token found in request')
  const secret = setting(captcha.secret)
  if (secret === undefined) throw new Error(`the variable ${captcha.secret} of Turnstile is not set`)
  const form = new URLSearchParams({ secret, response: token, ...(ip === null ? {} : { remoteip: ip }) })
  const response = await fetch(address, {
    method: 'POST',
    body: form,
    signal: AbortSignal.timeout(timeoutMs),
  })
  const said = verdict.safeParse(await response.json().catch(() => null))
  if (!said.success || !said.data.success) {
    throw errors.captchaFailed(said.data?.['error-codes']?.join(', ') ?? 'the service did not answer')
  }
  const { hostname = '' } = said.data
  // A token that was made on another's page says nothing about ours.
  if (captcha.hostnames && !captcha.hostnames.includes(hostname))
    throw errors.captchaFailed(`it was solved on ${hostname}`)
}
