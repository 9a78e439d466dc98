/**
 * Types of what all areas bring together, from what each of them brings.
 * @module
 */

/** What is all of the members of a union at once. */
export type All<Union> = (Union extends unknown ? (one: Union) => void : never) extends (
  all: infer Whole,
) => void
  ? Whole
  : never

/** An intersection, as one type of named members. */
export type Composed<Whole> = { readonly [Name in keyof Whole]: Whole[Name] }

/** Of each member of a union of areas; those that have none are left out. */
export type ConfigOf<Areas> = Areas extends { readonly defaults: infer Config } ? Config : never

/** What an app brings for it. */
export type AppOf<Areas> = Areas extends { read(app: infer App, engine: never): object }
  ? Omit<App, 'engineJobs'>
  : Areas extends { routes(engine: never, app: infer App, gateway: never): unknown }
    ? unknown extends App
      ? never
      : App
    : never

/** What it makes of an app. */
export type MadeOf<Areas> = Areas extends { read(app: never, engine: never): infer Made } ? Made : never

/** What it asks of the environment. */
export type EnvOf<Areas> = Areas extends { open(env: infer Env, engine: never, services: never): object }
  ? unknown extends Env
    ? never
    : Env
  : never

type OfferOf<Area> = Area extends { open(env: never, engine: never, services: never): infer Offer }
  ? Offer
  : unknown

type NeedsOf<Area> = Area extends { open(env: never, engine: never, services: infer Needs): object }
  ? Needs
  : unknown

/** What areas in order offer in the end; never, if one needs what none below it offers. */
export type Stacked<Areas, Below> = Areas extends readonly [infer One, ...infer Above]
  ? Below extends NeedsOf<One>
    ? Stacked<Above, Below & OfferOf<One>>
    : never
  : Below
