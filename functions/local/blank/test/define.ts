/** As the app's files have it beside them. */
export * from '../../../../test/define.ts'
