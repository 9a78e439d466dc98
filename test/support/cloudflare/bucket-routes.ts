import { jsonOf, Refusal, type Route } from './routes.ts'

export interface StoredBucket {
  readonly name: string
  readonly creation_date: string
  readonly location: string
}

/** Buckets of R2. What is in them, only the Workers see. */
export function bucketRoutes(buckets: StoredBucket[], isOn: () => boolean): Route[] {
  const base = '/accounts/:account/r2/buckets'
  const check = () => {
    if (!isOn()) throw new Refusal(403, 10042, 'Please enable R2 through the Cloudflare Dashboard.')
  }
  return [
    {
      method: 'GET',
      path: base,
      handle() {
        check()
        return { result: { buckets } }
      },
    },
    {
      method: 'GET',
      path: `${base}/:name`,
      handle(_, { name }) {
        check()
        const bucket = buckets.find((one) => one.name === name)
        if (!bucket) throw new Refusal(404, 10006, 'The specified bucket does not exist.')
        return { result: bucket }
      },
    },
    {
      method: 'POST',
      path: base,
      handle(request) {
        check()
        const { name, locationHint } = jsonOf<{ name: string; locationHint?: string }>(request)
        if (buckets.some((one) => one.name === name))
          throw new Refusal(409, 10004, 'The bucket you tried to create already exists, and you own it.')
        const location = (locationHint ?? 'weur').toUpperCase()
        const bucket = { name, creation_date: new Date().toISOString(), location }
        buckets.push(bucket)
        return { result: bucket }
      },
    },
  ]
}
