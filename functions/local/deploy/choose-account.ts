import { createInterface } from 'node:readline/promises'
import type { NamedAccount } from '../../../db/doors/cloudflare-account.ts'

/** Asks on a terminal which account is meant; undefined where there is nobody to ask. */
export function accountChooser(): ((accounts: readonly NamedAccount[]) => Promise<string>) | undefined {
  const { CI: isCi } = process.env
  if (process.stdin.isTTY !== true || process.stdout.isTTY !== true || isCi) return undefined
  return async (accounts) => {
    for (const [i, { name, id }] of accounts.entries()) console.log(`  ${i + 1}  ${name}  ${id}`)
    const terminal = createInterface({ input: process.stdin, output: process.stdout })
    try {
      for (;;) {
        const answer = await terminal.question(`Which account? 1-${accounts.length}: `)
        const chosen = accounts[Number(answer) - 1]
        if (!chosen) continue
        console.log(
          `CLOUDFLARE_ACCOUNT_ID=${chosen.id}, or account_id in wrangler.toml, spares the question.`,
        )
        return chosen.id
      }
    } finally {
      terminal.close()
    }
  }
}
