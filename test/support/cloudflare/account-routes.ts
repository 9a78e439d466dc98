import { pageOf, type Route } from './routes.ts'

export interface Account {
  readonly id: string
  readonly name: string
}

/** Who asks, and in which accounts: what wrangler wants to know when nothing tells it the account. */
export function accountRoutes(accounts: readonly Account[]): Route[] {
  const longestPage = 50
  return [
    {
      method: 'GET',
      path: '/user',
      handle: () => ({ result: { id: 'made-up-user', email: 'somebody@example.com' } }),
    },
    {
      method: 'GET',
      path: '/user/tokens/verify',
      handle: () => ({ result: { id: 'made-up-token', status: 'active' } }),
    },
    { method: 'GET', path: '/accounts', handle: ({ query }) => pageOf(accounts, query, longestPage) },
    {
      method: 'GET',
      path: '/memberships',
      handle: ({ query }) =>
        pageOf(
          accounts.map((account) => ({ id: `member-${account.id}`, status: 'accepted', account, roles: [] })),
          query,
          longestPage,
        ),
    },
  ]
}
