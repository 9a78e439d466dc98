import { defineStorage } from '../define.ts'

/** Buckets of files, and who may do what in them: `covers: { public: true, mimeTypes: ['image/*'] }`. */
export default defineStorage({})
