/**
 * `npm run keys`: new keys for a deployed project, and how to set them as secrets. Nothing is kept: what is printed is all
 * there is of them. `npm run --silent keys -- --json` prints the JSON that `wrangler secret bulk` takes; `--tokens` adds
 * the older kind of keys, tokens for the roles `anon` and `service_role`.
 * @module
 */
import { parseArgs } from 'node:util'
import { SignJWT } from 'jose'
import { makeKeys } from './keys.ts'

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, tokens: { type: 'boolean', default: false } },
})
const keys = makeKeys()
if (values.json) console.log(JSON.stringify(keys, null, 2))
else console.log(await sheet())

async function sheet(): Promise<string> {
  const lines = Object.entries(keys).map(([name, key]) => `  ${name.padEnd(22)} ${key}`)
  const puts = Object.keys(keys).map((name) => `  npx wrangler secret put ${name}`)
  const tokens = values.tokens ? [await token('anon'), await token('service_role')] : []
  const signed = values.tokens
    ? `
Tokens signed with this ATOLL_JWT_SECRET, for clients that want the older kind of keys:

  anon          ${tokens[0]}
  service_role  ${tokens[1]}
`
    : ''
  return `
New keys. They are kept nowhere else:

${lines.join('\n')}
${signed}
Set them as secrets of the deployed Worker; each command asks for the value:

${puts.join('\n')}

or all at once, by a file in a folder that git ignores:

  npm run --silent keys -- --json > .wrangler/keys.json && npx wrangler secret bulk .wrangler/keys.json

The publishable key goes into apps and pages. The secret key may do everything: it stays on servers.
ATOLL_JWT_SECRET signs the tokens of your users (HS256); whoever has it can be anybody. For an identity provider with
public keys (RS256, ES256), set ATOLL_JWKS_URL to its JWKS address instead.
`
}

function token(role: string): Promise<string> {
  return new SignJWT({ role })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer('atoll')
    .setIssuedAt()
    .sign(new TextEncoder().encode(keys.ATOLL_JWT_SECRET))
}
