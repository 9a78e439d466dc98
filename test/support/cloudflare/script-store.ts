/**
 * Workers behind the stand-in: their versions, which of them is deployed, their secrets.
 * @module
 */
import { randomUUID } from 'node:crypto'
import { Refusal } from './routes.ts'

export interface Binding {
  readonly type: string
  readonly name: string
  readonly [key: string]: unknown
}

/** What is said beside the modules of an upload. */
export interface Metadata {
  readonly main_module: string
  readonly bindings: readonly Binding[]
  readonly keep_bindings?: readonly string[]
  readonly compatibility_date?: string
  readonly compatibility_flags?: readonly string[]
  readonly migrations?: {
    readonly new_tag: string
    readonly old_tag?: string
    readonly steps: readonly Step[]
  }
  readonly assets?: { readonly jwt: string; readonly config?: { readonly run_worker_first?: unknown } }
  readonly annotations?: Readonly<Record<string, string>>
  readonly code_update_strategy?: { readonly mode: string }
}

interface Step {
  readonly new_classes?: readonly string[]
  readonly new_sqlite_classes?: readonly string[]
  readonly deleted_classes?: readonly string[]
}

export interface Module {
  readonly name: string
  readonly type: string
  readonly content: string
}

export interface Version {
  readonly id: string
  readonly number: number
  readonly createdAt: string
  readonly metadata: Metadata
  readonly modules: readonly Module[]
  /** Those of the upload, with secrets that are kept from the version before. */
  readonly bindings: readonly Binding[]
  /** Hashes of its assets by their paths. */
  readonly assets: Readonly<Record<string, string>>
}

export interface Deployment {
  readonly id: string
  readonly createdAt: string
  readonly versionId: string
  readonly message: string | null
  /** How Durable Objects come to the code; null when nobody has said. */
  readonly codeUpdateMode: string | null
}

export interface Script {
  readonly name: string
  readonly tag: string
  readonly versions: Version[]
  /** The newest last. */
  readonly deployments: Deployment[]
  migrationTag: string | null
  readonly sqliteClasses: Set<string>
  tags: readonly string[]
  isOnWorkersDev: boolean
  schedules: readonly string[]
}

export interface ScriptStore {
  readonly scripts: ReadonlyMap<string, Script>
  /** @throws Refusal 10007 as Cloudflare does */
  get(name: string): Script
  /** Takes an upload as a new version, and makes the Worker when there is none. */
  upload(
    name: string,
    metadata: Metadata,
    modules: readonly Module[],
    assets: Readonly<Record<string, string>>,
  ): Version
  deploy(name: string, versionId: string, message: string | null, codeUpdateMode: string | null): Deployment
  deployed(name: string): Version | null
  /** A version of its own, deployed at once. */
  putSecret(name: string, secret: string, text: string): void
}

export function createScriptStore(): ScriptStore {
  const scripts = new Map<string, Script>()
  const get = (name: string): Script => {
    const script = scripts.get(name)
    if (script) return script
    throw new Refusal(404, 10007, 'This Worker does not exist on your account.')
  }
  const deployed = (name: string): Version | null => {
    const script = scripts.get(name)
    const versionId = script?.deployments.at(-1)?.versionId
    return script?.versions.find(({ id }) => id === versionId) ?? null
  }
  const deploy: ScriptStore['deploy'] = (name, versionId, message, codeUpdateMode) => {
    const script = get(name)
    if (!script.versions.some(({ id }) => id === versionId))
      throw new Refusal(404, 10092, `The version ${versionId} does not exist.`)
    const deployment: Deployment = {
      id: randomUUID(),
      createdAt: new Date().toISOString(),
      versionId,
      message,
      codeUpdateMode,
    }
    script.deployments.push(deployment)
    return deployment
  }
  return {
    scripts,
    get,
    deployed,
    deploy,
    putSecret(name, secret, text) {
      const { versions } = get(name)
      const before = deployed(name)
      if (!before) throw new Refusal(404, 10007, 'This Worker does not exist on your account.')
      const id = randomUUID()
      const bindings = [
        ...before.bindings.filter((binding) => binding.name !== secret),
        { type: 'secret_text', name: secret, text },
      ]
      versions.push({
        ...before,
        id,
        number: versions.length + 1,
        createdAt: new Date().toISOString(),
        bindings,
      })
      deploy(name, id, null, null)
    },
    upload(name, metadata, modules, assets) {
      const script = scripts.get(name) ?? newScript(name)
      const bindings = bindingsOf(metadata, script.versions.at(-1) ?? null)
      takeMigrations(script, metadata)
      const classes = bindings.filter(({ type }) => type === 'durable_object_namespace')
      const missing = classes.find(({ class_name: of }) => !script.sqliteClasses.has(of as string))
      if (missing)
        throw new Refusal(
          400,
          10061,
          `Cannot create binding for class '${missing.class_name}' because it is not currently configured to implement Durable Objects.`,
        )
      const version: Version = {
        id: randomUUID(),
        number: script.versions.length + 1,
        createdAt: new Date().toISOString(),
        metadata,
        modules,
        bindings,
        assets,
      }
      script.versions.push(version)
      scripts.set(name, script)
      return version
    },
  }
}

function newScript(name: string): Script {
  return {
    name,
    tag: randomUUID().replaceAll('-', ''),
    versions: [],
    deployments: [],
    migrationTag: null,
    sqliteClasses: new Set(),
    tags: [],
    isOnWorkersDev: false,
    schedules: [],
  }
}

/** Bindings of kinds that are kept, and those that are inherited by name, come from the version before. */
function bindingsOf(metadata: Metadata, before: Version | null): Binding[] {
  const own = metadata.bindings.map((binding) => {
    if (binding.type !== 'inherit') return binding
    const inherited = before?.bindings.find(({ name }) => name === (binding.old_name ?? binding.name))
    if (!inherited)
      throw new Refusal(
        400,
        10057,
        `inherit binding '${binding.name}' is invalid: there is no binding of that name`,
      )
    return { ...inherited, name: binding.name }
  })
  for (const { type, name, id } of own) {
    if (type === 'd1' && (typeof id !== 'string' || id === ''))
      throw new Refusal(400, 10021, `binding ${name} of type d1 must have a valid \`id\` specified`)
  }
  const names = new Set(own.map(({ name }) => name))
  const kept = (before?.bindings ?? []).filter(
    ({ type, name }) => metadata.keep_bindings?.includes(type) && !names.has(name),
  )
  return [...own, ...kept]
}

function takeMigrations(script: Script, { migrations }: Metadata): void {
  if (!migrations) return
  if ((migrations.old_tag ?? null) !== script.migrationTag)
    throw new Refusal(412, 10079, 'migration tag precondition failed')
  for (const { new_classes = [], new_sqlite_classes = [], deleted_classes = [] } of migrations.steps) {
    for (const made of [...new_classes, ...new_sqlite_classes]) script.sqliteClasses.add(made)
    for (const gone of deleted_classes) script.sqliteClasses.delete(gone)
  }
  script.migrationTag = migrations.new_tag
}
