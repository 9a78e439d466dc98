import { defineFileSeed } from '../define.ts'

/** Files for local development: `await put('covers', '1.png', bytes, 'image/png')`. */
export default defineFileSeed(async () => undefined)
