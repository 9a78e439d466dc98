import type { AssetStore } from './asset-routes.ts'
import { type ApiRequest, jsonOf, Refusal, type Route } from './routes.ts'
import type { Deployment, Metadata, Module, ScriptStore, Version } from './script-store.ts'

interface DeploymentBody {
  readonly versions: readonly { readonly version_id: string; readonly percentage: number }[]
  readonly annotations?: Readonly<Record<string, string>>
  readonly code_update_strategy?: { readonly mode: string }
}

/** The part of an account's name before `.workers.dev`. */
export const subdomain = 'somebody'

/** Workers: uploads, versions, deployments, secrets, addresses and schedules. */
export function scriptRoutes(store: ScriptStore, assets: AssetStore, rollOut: () => void): Route[] {
  const base = '/accounts/:account/workers'
  const one = `${base}/scripts/:script`
  const named = (parameters: Readonly<Record<string, string>>) => store.get(parameters.script ?? '')
  const upload = async (request: ApiRequest, name: string) => {
    const { metadata, modules } = await formOf(request)
    return store.upload(name, metadata, modules, assets.manifestOf(metadata.assets?.jwt))
  }
  return [
    {
      method: 'GET',
      path: `${base}/services/:script`,
      handle: (_, parameters) => {
        const script = named(parameters)
        return {
          result: {
            id: script.name,
            default_environment: {
              environment: 'production',
              script: {
                id: script.name,
                tag: script.tag,
                tags: script.tags,
                migration_tag: script.migrationTag,
                last_deployed_from: 'wrangler',
              },
            },
          },
        }
      },
    },
    {
      method: 'PUT',
      path: one,
      async handle(request, { script: name = '' }) {
        const version = await upload(request, name)
        const { annotations, code_update_strategy: strategy } = version.metadata
        store.deploy(name, version.id, annotations?.['workers/message'] ?? null, strategy?.mode ?? null)
        rollOut()
        return {
          result: {
            id: name,
            etag: version.id,
            tag: store.get(name).tag,
            deployment_id: version.id.replaceAll('-', ''),
            startup_time_ms: 12,
          },
        }
      },
    },
    {
      method: 'POST',
      path: `${one}/versions`,
      async handle(request, parameters) {
        const version = await upload(request, named(parameters).name)
        return { result: shownVersion(version) }
      },
    },
    {
      method: 'GET',
      path: `${one}/versions`,
      handle: (_, parameters) => ({
        result: { items: named(parameters).versions.map(shownVersion).reverse() },
      }),
    },
    {
      method: 'GET',
      path: `${one}/versions/:version`,
      handle(_, parameters) {
        const version = named(parameters).versions.find(({ id }) => id === parameters.version)
        if (!version) throw new Refusal(404, 10092, 'This version does not exist.')
        return { result: shownVersion(version) }
      },
    },
    {
      method: 'GET',
      path: `${one}/deployments`,
      handle: (_, parameters) => ({
        result: { deployments: named(parameters).deployments.map(shownDeployment).reverse() },
      }),
    },
    {
      method: 'POST',
      path: `${one}/deployments`,
      handle(request, parameters) {
        const body = jsonOf<DeploymentBody>(request)
        const [version, ...others] = body.versions
        if (!version || others.length > 0)
          throw new Refusal(400, 10021, 'the stand-in deploys one version, to all traffic')
        const script = named(parameters)
        const message = body.annotations?.['workers/message'] ?? null
        const mode = body.code_update_strategy?.mode ?? null
        const deployment = store.deploy(script.name, version.version_id, message, mode)
        rollOut()
        return { result: shownDeployment(deployment) }
      },
    },
    {
      method: 'GET',
      path: `${one}/settings`,
      handle: (_, parameters) => {
        const script = named(parameters)
        const version = store.deployed(script.name)
        return { result: { bindings: shownBindings(version), tags: script.tags } }
      },
    },
    {
      method: 'PATCH',
      path: `${one}/script-settings`,
      handle(request, parameters) {
        const { tags } = jsonOf<{ tags?: readonly string[] }>(request)
        if (tags) named(parameters).tags = tags
        return { result: {} }
      },
    },
    {
      method: 'GET',
      path: `${one}/secrets`,
      handle: (_, parameters) => ({
        result: (store.deployed(named(parameters).name)?.bindings ?? [])
          .filter(({ type }) => type === 'secret_text')
          .map(({ name, type }) => ({ name, type })),
      }),
    },
    {
      method: 'PUT',
      path: `${one}/secrets`,
      handle(request, parameters) {
        const { name, text } = jsonOf<{ name: string; text: string }>(request)
        store.putSecret(named(parameters).name, name, text)
        rollOut()
        return { result: { name, type: 'secret_text' } }
      },
    },
    {
      method: 'GET',
      path: `${one}/schedules`,
      handle: (_, parameters) => ({
        result: { schedules: named(parameters).schedules.map((cron) => ({ cron })) },
      }),
    },
    {
      method: 'PUT',
      path: `${one}/schedules`,
      handle(request, parameters) {
        const schedules = jsonOf<readonly { cron: string }[]>(request)
        named(parameters).schedules = schedules.map(({ cron }) => cron)
        return { result: { schedules } }
      },
    },
    {
      method: 'POST',
      path: `${one}/subdomain`,
      handle(request, parameters) {
        const { enabled = false } = jsonOf<{ enabled?: boolean }>(request)
        named(parameters).isOnWorkersDev = enabled
        return { result: { enabled, previews_enabled: false } }
      },
    },
    {
      method: 'GET',
      path: `${base}/workers/:script`,
      handle: (_, parameters) => {
        const script = named(parameters)
        const address = `https://${script.name}.${subdomain}.workers.dev`
        return {
          result: {
            id: script.tag,
            name: script.name,
            subdomain: { enabled: script.isOnWorkersDev, previews_enabled: false, url: address },
          },
        }
      },
    },
    { method: 'GET', path: `${base}/subdomain`, handle: () => ({ result: { subdomain } }) },
  ]
}

function shownVersion(version: Version) {
  return {
    id: version.id,
    number: version.number,
    metadata: { created_on: version.createdAt, modified_on: version.createdAt, source: 'wrangler' },
    annotations: version.metadata.annotations ?? {},
    resources: {
      bindings: shownBindings(version),
      script: { etag: version.id, handlers: ['fetch'] },
      script_runtime: {},
    },
    startup_time_ms: 12,
  }
}

/** Secrets are told by their names only. */
function shownBindings(version: Version | null) {
  return (version?.bindings ?? []).map((binding) =>
    binding.type === 'secret_text' ? { type: binding.type, name: binding.name } : binding,
  )
}

function shownDeployment({ id, createdAt, versionId, message, codeUpdateMode }: Deployment) {
  return {
    id,
    created_on: createdAt,
    source: 'wrangler',
    strategy: 'percentage',
    author_email: 'somebody@example.com',
    annotations: { 'workers/message': message ?? undefined, 'workers/triggered_by': 'deployment' },
    versions: [{ version_id: versionId, percentage: 100 }],
    ...(codeUpdateMode === null ? {} : { code_update_strategy: { mode: codeUpdateMode } }),
  }
}

/** An upload: what is said of it, and its modules. */
async function formOf(request: ApiRequest): Promise<{ metadata: Metadata; modules: Module[] }> {
  const form = await new Response(request.body as Uint8Array<ArrayBuffer>, {
    headers: { 'Content-Type': String(request.headers['content-type']) },
  }).formData()
  const modules: Module[] = []
  for (const [name, part] of form) {
    if (typeof part === 'string' || part.type === 'application/source-map') continue
    modules.push({ name, type: part.type, content: await part.text() })
  }
  return { metadata: JSON.parse(String(form.get('metadata'))) as Metadata, modules }
}
