import { defineConfig } from '../define.ts'

export default defineConfig({})
