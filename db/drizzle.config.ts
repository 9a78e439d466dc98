import { defineConfig } from 'drizzle-kit'

export default defineConfig({ dialect: 'sqlite', schema: './db/app/schema.ts', out: './db/app/migrations' })
