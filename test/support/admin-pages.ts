/**
 * What admin pages of react-admin and refine do, by the data providers that they do it with.
 *
 * Both providers name their frameworks' packages for types only: `overrides` in package.json put a small package in their place, so that
 * React and all that hangs on it are not installed.
 * @module
 */
import postgrestProvider from '@raphiniert/ra-data-postgrest'
import { dataProvider as refineProvider } from '@refinedev/supabase'
import { createClient } from '@supabase/supabase-js'
import { secretKey } from './local-server.ts'

export type Row = Record<string, unknown> & { readonly id: string | number }
export type Id = Row['id']
export type Filter = { readonly column: string; readonly operator: 'eq' | 'gte'; readonly value: unknown }
export interface Page {
  readonly data: readonly Row[]
  readonly total: number
}
export interface Wanted {
  readonly page: number
  readonly perPage: number
  readonly sort: readonly [column: string, direction: 'asc' | 'desc']
  readonly filter?: Filter
}

/** What pages of both do. */
export interface Pages {
  list(table: string, wanted: Wanted): Promise<Page>
  one(table: string, id: Id): Promise<Row>
  many(table: string, ids: readonly Id[]): Promise<readonly Row[]>
  references(table: string, column: string, id: Id, wanted: Wanted): Promise<Page>
  create(table: string, row: object): Promise<Row>
  /** From a form that shows the whole row, of which some was changed. */
  update(table: string, before: Row, changes: object): Promise<Row>
  updateMany(table: string, ids: readonly Id[], changes: object): Promise<unknown>
  delete(table: string, row: Row): Promise<unknown>
  deleteMany(table: string, ids: readonly Id[]): Promise<unknown>
}

/** As react-admin's own `fetchJson` answers. */
async function fetchJson(url: string, options: RequestInit = {}) {
  const headers = new Headers(options.headers)
  headers.set('apikey', secretKey)
  const response = await fetch(url, { ...options, headers })
  const body = await response.text()
  const json = body === '' ? undefined : JSON.parse(body)
  if (!response.ok) throw Object.assign(new Error(json.message), { status: response.status, body: json })
  return { status: response.status, headers: response.headers, body, json }
}

/** @param address of the server, without a slash at its end */
export function reactAdmin(address: string): Pages & {
  updateManyWith(headers: object, ids: readonly Id[], changes: object): Promise<unknown>
} {
  const provider = postgrestProvider({
    apiUrl: `${address}/rest/v1`,
    httpClient: fetchJson,
    defaultListOp: 'eq',
    primaryKeys: new Map(),
    schema: () => '',
  })
  const terms = ({ page, perPage, sort: [field, order], filter }: Wanted) => ({
    pagination: { page, perPage },
    sort: { field, order: order.toUpperCase() },
    filter: filter ? { [`${filter.column}@${filter.operator}`]: filter.value } : {},
  })
  return {
    list: (table, wanted) => provider.getList(table, terms(wanted)),
    one: async (table, id) => (await provider.getOne(table, { id })).data,
    many: async (table, ids) => (await provider.getMany(table, { ids })).data,
    references: (table, target, id, wanted) =>
      provider.getManyReference(table, { target, id, ...terms(wanted) }),
    create: async (table, data) => (await provider.create(table, { data })).data,
    update: async (table, before, changes) => {
      const params = { id: before.id, previousData: before, data: { ...before, ...changes } }
      return (await provider.update(table, params)).data
    },
    updateMany: (table, ids, data) => provider.updateMany(table, { ids, data }),
    updateManyWith: (headers, ids, data) => provider.updateMany('invoices', { ids, data, meta: { headers } }),
    delete: (table, row) => provider.delete(table, { id: row.id, previousData: row }),
    deleteMany: (table, ids) => provider.deleteMany(table, { ids }),
  }
}

/** @param address of the server, without a slash at its end */
export function refine(address: string): Pages {
  const client = createClient(address, secretKey, { auth: { persistSession: false } })
  const provider = refineProvider(client)
  const terms = ({ page, perPage, sort: [field, order], filter }: Wanted) => ({
    pagination: { currentPage: page, pageSize: perPage },
    sorters: [{ field, order }],
    filters: filter ? [{ field: filter.column, operator: filter.operator, value: filter.value }] : [],
  })
  return {
    list: (resource, wanted) => provider.getList({ resource, ...terms(wanted) }),
    one: async (resource, id) => (await provider.getOne({ resource, id })).data,
    many: async (resource, ids) => (await provider.getMany({ resource, ids })).data,
    references: (resource, column, id, wanted) =>
      provider.getList({ resource, ...terms({ ...wanted, filter: { column, operator: 'eq', value: id } }) }),
    create: async (resource, variables) => (await provider.create({ resource, variables })).data,
    update: async (resource, { id }, variables) => (await provider.update({ resource, id, variables })).data,
    updateMany: (resource, ids, variables) => provider.updateMany({ resource, ids, variables }),
    delete: (resource, { id }) => provider.deleteOne({ resource, id }),
    deleteMany: (resource, ids) => provider.deleteMany({ resource, ids }),
  }
}
