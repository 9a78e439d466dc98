/** Who asks has not signed in, or no longer is. */
export class SignedOut extends Error {}

/** Says what the server said was wrong. */
export class Refused extends Error {}

const own = { 'X-Atoll-Dashboard': '1' }

async function send(path: string, init: RequestInit): Promise<Response> {
  const answer = await fetch(path, {
    ...init,
    headers: { ...own, ...init.headers },
    credentials: 'same-origin',
  })
  if (answer.status === 401) throw new SignedOut()
  if (answer.ok) return answer
  const said = (await answer.json().catch(() => null)) as {
    message?: string
    details?: unknown
    hint?: string
  } | null
  const details = typeof said?.details === 'string' ? said.details : null
  throw new Refused([said?.message ?? `${answer.status}`, details, said?.hint].filter(Boolean).join('. '))
}

const json = (body: unknown): RequestInit =>
  body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }

export async function ask<T>(path: string): Promise<T> {
  return (await send(`/_atoll/api${path}`, {})).json() as Promise<T>
}

/** The other areas, as the secret key is answered. */
export async function askAs(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  const init = json(body)
  return send(`/_atoll/api/as-secret${path}`, {
    ...init,
    method,
    headers: { ...(init.headers as Record<string, string>), ...headers },
  })
}

export async function signIn(key: string): Promise<void> {
  await send('/_atoll/session', {
    method: 'POST',
    ...json({ key }),
    headers: { 'Content-Type': 'application/json', ...own },
  })
}

export async function signOut(): Promise<void> {
  await send('/_atoll/session', { method: 'DELETE' })
}
