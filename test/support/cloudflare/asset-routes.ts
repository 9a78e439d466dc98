import { createHash } from 'node:crypto'
import { type ApiRequest, jsonOf, type Route } from './routes.ts'

export interface AssetStore {
  /** Files by their hashes. */
  readonly files: ReadonlyMap<string, Buffer>
  readonly routes: readonly Route[]
  /** Hashes by paths, as they were named when this token was given. */
  manifestOf(token: string | undefined): Readonly<Record<string, string>>
}

interface Manifest {
  readonly [path: string]: { readonly hash: string; readonly size: number }
}

/** Static assets: what is there already is not asked for. */
export function createAssetStore(): AssetStore {
  const files = new Map<string, Buffer>()
  const manifests = new Map<string, Readonly<Record<string, string>>>()
  const routes: Route[] = [
    {
      method: 'POST',
      path: '/accounts/:account/workers/scripts/:script/assets-upload-session',
      handle(request) {
        const { manifest } = jsonOf<{ manifest: Manifest }>(request)
        const hashes = Object.fromEntries(Object.entries(manifest).map(([path, { hash }]) => [path, hash]))
        const jwt = tokenFor(hashes)
        manifests.set(jwt, hashes)
        const missing = [...new Set(Object.values(hashes))].filter((hash) => !files.has(hash))
        return { result: { jwt, buckets: missing.length === 0 ? [] : [missing] } }
      },
    },
    {
      method: 'POST',
      path: '/accounts/:account/workers/assets/upload',
      // Its credentials are the session's token.
      isOpen: true,
      async handle(request) {
        for (const [hash, content] of await partsOf(request)) files.set(hash, content)
        return {
          status: 201,
          result: { jwt: String(request.headers.authorization).replace(/^Bearer /, '') },
        }
      },
    },
  ]
  return { files, routes, manifestOf: (token) => manifests.get(token ?? '') ?? {} }
}

/** Looks like a token, as wrangler reads settings from its middle. */
function tokenFor(hashes: Readonly<Record<string, string>>): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const id = createHash('sha256').update(JSON.stringify(hashes)).digest('hex')
  return `${encode({ alg: 'none' })}.${encode({ id })}.made-up`
}

async function partsOf(request: ApiRequest): Promise<[string, Buffer][]> {
  const form = await new Response(request.body as Uint8Array<ArrayBuffer>, {
    headers: { 'Content-Type': String(request.headers['content-type']) },
  }).formData()
  return await Promise.all(
    [...form].map(async ([hash, part]): Promise<[string, Buffer]> => {
      const text = typeof part === 'string' ? part : await part.text()
      return [hash, Buffer.from(text, 'base64')]
    }),
  )
}
