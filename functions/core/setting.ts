/** A text, or the name of a variable or secret that holds it. */
export type Setting = string | { readonly variable: string }

/** Variables and secrets by name. */
export type ReadSetting = (name: string) => string | undefined
