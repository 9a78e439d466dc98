/**
 * The front door for scenarios of load: what `test/app/` imports.
 * @module
 */
export type {
  Answer,
  Arrivals,
  Draw,
  Journey,
  Objective,
  Question,
  RampPoint,
  Scenario,
  Step,
  Think,
} from './load/tool/scenario.ts'
export { defineScenario, journey } from './load/tool/scenario.ts'
