import { defineConfig } from '../define.ts'

/** How the API behaves; what is left out has the default beside its type. */
export default defineConfig({})
