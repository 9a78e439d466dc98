import { eq } from 'drizzle-orm'
import { defineStorage, type ObjectCondition } from '../define.ts'

/** A customer's own folder, named for them. */
const own: ObjectCondition = ({ caller, object }) => eq(object.folder(1), caller.sub)

export default defineStorage({
  /** Album covers, by the album's id: everybody may look at them. */
  covers: { public: true, mimeTypes: ['image/*'], maxBytes: 1_000_000 },
  /** Invoices as text, by customer and invoice. */
  invoices: { mimeTypes: ['text/plain', 'application/pdf'], access: { authenticated: { select: own } } },
  /** What customers keep here themselves. */
  uploads: {
    maxBytes: 2_500_000_000,
    access: { authenticated: { select: own, insert: own, update: own, delete: own } },
  },
})
