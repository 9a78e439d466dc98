/**
 * E-mail addresses and phone numbers as accounts have them: one form for each, however it is typed.
 * @module
 */
import { errors } from './errors.ts'

const maxEmailLength = 254
/** One `@`, a plain local part, labels of letters, digits and hyphens. No quotes, comments or control characters: what mail programs read differently is refused. */
const emailForm =
  /^[a-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+$/

/**
 * In lower case. Letters beyond ASCII are refused: some become others when their case or form is changed (the Kelvin sign, the Turkish dotless
 * i), and then two people have one address; domains come as punycode.
 *
 * @throws 400 `email_address_invalid`
 */
export function emailOf(typed: string): string {
  const email = typed.trim().replace(/[A-Z]/g, (letter) => letter.toLowerCase())
  if (email.length > maxEmailLength || !emailForm.test(email) || email.includes('..'))
    throw errors.addressInvalid()
  return email
}

/** Digits alone, with the country's code. @throws 400 for what is no number of E.164 */
export function phoneOf(typed: string): string {
  const digits = typed.replace(/[\s()-]/g, '').replace(/^\+/, '')
  if (!/^[1-9]\d{1,14}$/.test(digits)) throw errors.phoneInvalid()
  return digits
}

export function domainOf(email: string): string {
  return email.slice(email.lastIndexOf('@') + 1)
}
