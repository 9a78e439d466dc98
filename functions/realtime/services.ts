import type { AccessServices } from '../access/area.ts'
import type { CoreConfig } from '../core/config.ts'
import type { AtollEnv as AtollEnvOf, CoreEnv } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import type { RestConfig, Services as RestServices, ServedSchemas } from '../rest/area.ts'
import type { AskChannel } from './channel-policy.ts'
import type { RealtimeConfig } from './config.ts'

/** What the area makes of an app. */
export interface RealtimeEngine {
  readonly realtime: {
    /** Names in SQL of tables whose changes are told. */
    readonly tables: ReadonlySet<string>
    readonly publicChannels: boolean
    readonly ask: AskChannel
  }
}

/** What its code uses. */
export interface Services extends RestServices, AccessServices {}

export type Engine = CoreEngine<CoreConfig & RestConfig & RealtimeConfig> &
  RealtimeEngine & { readonly schemas: ServedSchemas }

export type AtollEnv = AtollEnvOf<Services, CoreEnv>
