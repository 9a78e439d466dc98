/** What is used of the other data APIs, which are installed for their comparison only. */
declare module '@supabase/lite' {
  export class App {
    constructor(options: object)
    fetch(request: Request): Promise<Response>
  }
}
declare module '@supabase/lite/workerd' {
  export function d1(options: { readonly binding: D1Database }): object
}
declare module 'bknd' {
  type Field = object
  export function text(): Field
  export function number(): Field
  export function entity(name: string, fields: Readonly<Record<string, Field>>): object
  export function em(entities: Readonly<Record<string, object>>): { toJSON(): object }
}
declare module 'bknd/adapter/cloudflare' {
  export function d1Sqlite(options: { readonly binding: D1Database }): object
  export function createApp(
    config: object,
    context: { readonly env: object; readonly ctx: ExecutionContext; readonly request: Request },
  ): Promise<{ fetch(request: Request): Promise<Response> }>
}
