/**
 * The API's description as a page. `/docs`.
 * @module
 */
import type { Area } from '../core/area.ts'
import { createDocs } from './docs.ts'

export const docs = {
  name: 'docs',
  routes: () => [['/docs', createDocs()]],
} satisfies Area
