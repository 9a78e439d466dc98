/**
 * Mails and text messages on the developer's machine: kept, and shown at `/_atoll/mail`, and sent to nobody.
 * @module
 */
import type { ClusterSession } from '../../../db/cluster/session.ts'
import type { BoundStatement, Row } from '../../../db/sql/statement.ts'
import { insertRow, textIn } from '../rows/json-row.ts'

/** A message that was caught. */
export interface CaughtMail {
  readonly id: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string | null
}

const maxKept = 200

/** Made when the first is caught: what is deployed has no such table. */
const table: BoundStatement = {
  text: `CREATE TABLE IF NOT EXISTS _atoll_caught_mail (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, recipient TEXT NOT NULL,
    subject TEXT NOT NULL, body TEXT NOT NULL, html TEXT)`,
  parameters: [],
}

export async function catchMail(session: ClusterSession, mail: Omit<CaughtMail, 'id' | 'at'>): Promise<void> {
  await session.primary([
    table,
    insertRow('_atoll_caught_mail', {
      at: Date.now(),
      recipient: mail.to,
      subject: mail.subject,
      body: mail.text,
      html: mail.html,
    }),
    {
      text: `DELETE FROM _atoll_caught_mail WHERE id <= (SELECT max(id) FROM _atoll_caught_mail) - ${maxKept}`,
      parameters: [],
    },
  ])
}

/** The latest first. */
export async function caughtMails(session: ClusterSession): Promise<readonly CaughtMail[]> {
  const [, rows = []] = await session.primary([
    table,
    { text: 'SELECT * FROM _atoll_caught_mail ORDER BY id DESC', parameters: [] },
  ])
  return rows.map((row: Row) => ({
    id: Number(row.id),
    at: Number(row.at),
    to: row.recipient as string,
    subject: row.subject as string,
    text: row.body as string,
    html: textIn(row.html),
  }))
}
