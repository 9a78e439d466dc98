import { defineOrigins } from '../define.ts'

/** Servers behind Atoll; nothing is proxied that is not declared here. */
export default defineOrigins({ pools: {}, routes: [] })
