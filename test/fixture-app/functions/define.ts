/** As the app's files have it beside them. */
export * from '../../../functions/define.ts'
