import { createHandWritten } from '../hand-written.ts'

export default createHandWritten()
