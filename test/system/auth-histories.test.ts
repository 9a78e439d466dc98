import { afterAll, beforeAll, expect, it } from 'vitest'
import { type AuthServer, startAuthServer } from '../support/auth-server.ts'
import { seededRandom } from '../support/seeded-random.ts'

/*
 * Random histories of several devices of one user: they refresh, lose answers, are robbed, sign out, change the password. A model says which
 * sessions live; after each step the server is asked.
 */

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))
const histories = 6
const steps = 25
const password = 'correct horse battery'

let server: AuthServer
beforeAll(async () => {
  server = await startAuthServer('plain')
})
afterAll(() => server.stop())

/** A device: the tokens that it has been given, the latest last, and whether its session lives. */
interface Device {
  access: string
  readonly tokens: string[]
  isAlive: boolean
  /** Whether the last refresh was so long ago that its token is not answered again. */
  isLate: boolean
}

async function post(path: string, body: unknown, token?: string) {
  const answer = await server.ask(`/auth/v1${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
  })
  const text = await answer.text()
  return { status: answer.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, string> }
}

const refresh = (token: string | undefined) =>
  post('/token?grant_type=refresh_token', { refresh_token: token })

it(`sessions live and end as the model says, whatever devices and thieves do (seed ${seed})`, async () => {
  const random = seededRandom(seed)
  const below = (n: number) => Math.floor(random() * n)
  for (let history = 0; history < histories; history++) {
    const email = `history-${history}@example.com`
    let word = password
    const signed = await post('/signup', { email, password: word })
    const id = (signed.body.user as unknown as { id: string }).id
    const devices: Device[] = []
    const told: string[] = []
    const add = (body: Record<string, string>) => {
      devices.push({
        access: body.access_token as string,
        tokens: [body.refresh_token as string],
        isAlive: true,
        isLate: false,
      })
    }
    add(signed.body)

    const turns: Readonly<Record<string, (device: Device) => Promise<void>>> = {
      'sign in': async () => {
        if (devices.length >= 5) return
        const answer = await post('/token?grant_type=password', { email, password: word })
        expect(answer.status).toBe(200)
        add(answer.body)
      },
      refresh: async (device) => {
        const answer = await refresh(device.tokens.at(-1))
        expect(answer.status).toBe(device.isAlive ? 200 : 400)
        if (!device.isAlive) return
        device.tokens.push(answer.body.refresh_token as string)
        device.access = answer.body.access_token as string
        device.isLate = false
      },
      'refresh twice at once': async (device) => {
        const token = device.tokens.at(-1)
        const [one, two] = await Promise.all([refresh(token), refresh(token)])
        if (!device.isAlive) return expect([one.status, two.status]).toEqual([400, 400])
        // Whoever loses meets the window in which the answer is given again.
        expect([one.status, two.status]).toEqual([200, 200])
        expect(one.body.refresh_token).toBe(two.body.refresh_token)
        device.tokens.push(one.body.refresh_token as string)
        device.isLate = false
      },
      'lose an answer': async (device) => {
        if (device.tokens.length < 2 || device.isLate || !device.isAlive) return
        const again = await refresh(device.tokens.at(-2))
        expect([again.status, again.body.refresh_token]).toEqual([200, device.tokens.at(-1)])
      },
      'time passes': async () => {
        for (const name of ['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3'])
          await (await server.database(name))
            .prepare('UPDATE auth_sessions SET refreshed_at = refreshed_at - 60000 WHERE user_id = ?')
            .bind(id)
            .run()
        for (const device of devices) device.isLate = true
      },
      theft: async (device) => {
        const olds = device.isLate ? device.tokens.slice(0, -1) : device.tokens.slice(0, -2)
        const old = olds[below(olds.length)]
        if (old === undefined) return
        const answer = await refresh(old)
        expect(answer.status).toBe(400)
        expect(answer.body.error_code).toBe(
          device.isAlive ? 'refresh_token_already_used' : 'refresh_token_not_found',
        )
        device.isAlive = false
      },
      'forge a token': async (device) => {
        const other = devices[below(devices.length)] as Device
        if (other === device) return
        const [head] = (device.tokens.at(-1) as string).split('.')
        const [, signature] = (other.tokens.at(-1) as string).split('.')
        expect((await refresh(`${head}.${signature}`)).status).toBe(400)
      },
      'sign out': async (device) => {
        const scope = ['local', 'others', 'global'][below(3)] as string
        const answer = await post(`/logout?scope=${scope}`, {}, device.access)
        if (!device.isAlive) return
        expect(answer.status).toBe(204)
        for (const one of devices)
          if (scope === 'global' || (one === device) === (scope === 'local')) one.isAlive = false
      },
      'sign out by a dead session': async (device) => {
        if (device.isAlive) return
        // Its access token lasts, and ends nobody else's session.
        await post('/logout?scope=global', {}, device.access)
      },
      'change the password': async (device) => {
        const next = `${password} ${below(1e9)}`
        const answer = await server.ask('/auth/v1/user', {
          method: 'PUT',
          body: JSON.stringify({ password: next }),
          headers: { Authorization: `Bearer ${device.access}` },
        })
        expect(answer.status).toBe(device.isAlive ? 200 : 403)
        if (!device.isAlive) return
        word = next
        for (const one of devices) if (one !== device) one.isAlive = false
      },
    }
    const names = Object.keys(turns)
    for (let step = 0; step < steps; step++) {
      const name = names[below(names.length)] as string
      const device = devices[below(devices.length)] as Device
      told.push(`${name} ${devices.indexOf(device)}`)
      try {
        await turns[name]?.(device)
        const alive = await Promise.all(
          devices.map(async ({ access }) => {
            const answer = await server.ask('/auth/v1/user', {
              headers: { Authorization: `Bearer ${access}` },
            })
            return answer.status === 200
          }),
        )
        expect(alive).toEqual(devices.map(({ isAlive }) => isAlive))
      } catch (error) {
        throw new Error(`seed ${seed}, history ${history}: ${told.join(', ')}`, { cause: error })
      }
    }
    const rows = await server.sql(`SELECT id FROM auth_sessions WHERE user_id = '${id}'`)
    expect(rows.length).toBe(devices.filter(({ isAlive }) => isAlive).length)
  }
})
