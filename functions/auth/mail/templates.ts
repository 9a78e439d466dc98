/**
 * The texts of mails, where the app has none of its own. In English: who writes to people in their languages knows what to say.
 * @module
 */
import type { Mail, MailContent, MailKind } from '../declarations.ts'

const texts: Readonly<Record<MailKind, readonly [subject: string, what: string]>> = {
  confirmation: ['Confirm your address', 'Follow this link to confirm your address:'],
  invite: ['You have been invited', 'Follow this link to accept the invitation:'],
  magiclink: ['Your sign-in link', 'Follow this link to sign in:'],
  recovery: ['Set a new password', 'Follow this link to set a new password:'],
  'email-change': [
    'Confirm the change of your address',
    'Follow this link to confirm the change of your address:',
  ],
  reauthentication: ['Your code', 'To confirm that it is you, enter this code:'],
}

export function builtInMail({ kind, link, code, newEmail }: MailContent): Omit<Mail, 'to'> {
  const [subject, what] = texts[kind]
  const change = newEmail === null ? [] : [`The new address is ${newEmail}.`]
  const lines = link === null ? [what, code] : [what, link, ...change, `Or enter this code: ${code}`]
  const closing = 'If you have not asked for this, you need not do anything.'
  const paragraphs = [...lines, closing]
  return {
    subject,
    text: `${paragraphs.join('\n\n')}\n`,
    html: paragraphs
      .map(
        (line) =>
          `<p>${line === link ? `<a href="${escaped(line)}">${escaped(subject)}</a>` : escaped(line)}</p>`,
      )
      .join('\n'),
  }
}

/** What people have typed in stands in mails as text. */
export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
