import { defineConfig } from '../define.ts'

export default defineConfig({ schemas: ['public', 'office'] })
