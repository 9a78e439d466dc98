import { askAs } from './ask.ts'
import { badge, bytes, h, tableOf, time } from './dom.ts'
import type { Page } from './page.ts'

interface Bucket {
  readonly id: string
  readonly public: boolean
  readonly file_size_limit: number | null
}

interface Entry {
  readonly name: string
  readonly id: string | null
  readonly updated_at: string | null
  readonly metadata: { readonly size?: number; readonly mimetype?: string } | null
}

export function filesPage([bucket, ...folders]: readonly string[]): Page {
  const element = h('div')
  return {
    element,
    refresh: async () =>
      element.replaceChildren(await (bucket === undefined ? buckets() : entries(bucket, folders))),
  }
}

const linkTo = (...parts: readonly string[]) => `#/files/${parts.map(encodeURIComponent).join('/')}`

async function buckets(): Promise<HTMLElement> {
  const all = (await (await askAs('GET', '/storage/v1/bucket')).json()) as Bucket[]
  return tableOf<Bucket>(
    [
      { title: 'Bucket', cell: ({ id }) => h('a', { href: linkTo(id) }, id) },
      { title: 'Who may look', cell: (one) => badge(one.public ? 'everybody' : 'by policy', 'plain') },
      {
        title: 'Largest file',
        isNumber: true,
        cell: ({ file_size_limit: limit }) => (limit === null ? '–' : bytes(limit)),
      },
    ],
    all,
    'There are no buckets.',
  )
}

async function entries(bucket: string, folders: readonly string[]): Promise<HTMLElement> {
  const prefix = folders.join('/')
  const body = {
    prefix: prefix === '' ? '' : `${prefix}/`,
    limit: 200,
    offset: 0,
    sortBy: { column: 'name', order: 'asc' },
  }
  const answer = await askAs('POST', `/storage/v1/object/list/${encodeURIComponent(bucket)}`, body)
  const found = (await answer.json()) as Entry[]
  const up = folders.length === 0 ? '#/files' : linkTo(bucket, ...folders.slice(0, -1))
  return h(
    'div',
    {},
    h('p', {}, h('a', { href: up }, 'Up'), ' · ', h('strong', {}, [bucket, ...folders].join(' / '))),
    tableOf<Entry>(
      [
        {
          title: 'Name',
          cell: ({ name, id }) =>
            id === null ? h('a', { href: linkTo(bucket, ...folders, name) }, `${name}/`) : name,
        },
        { title: 'Type', cell: ({ metadata }) => metadata?.mimetype ?? '' },
        {
          title: 'Size',
          isNumber: true,
          cell: ({ metadata }) => (metadata?.size === undefined ? '' : bytes(metadata.size)),
        },
        {
          title: 'Changed',
          cell: ({ updated_at: at }) => (at === null ? '' : `${at.slice(0, 10)} ${time(Date.parse(at))}`),
        },
      ],
      found,
      'Nothing lies here.',
    ),
  )
}
