import { type Duty, remember } from '../core/duty.ts'
import { watchBackups, watchCopies, watchObjectives } from './alerts.ts'
import type { Engine, Services } from './services.ts'

/** What relays look after for operators. */
export const duties = (): readonly Duty<Services, Engine>[] => [
  {
    name: 'copies that are behind',
    when: 'repair',
    onPrimary: true,
    run: ({ services, engine, session, memory }) =>
      remember(memory, 'behind', (before) => watchCopies(services, engine.config, session, before)),
  },
  {
    name: 'age of the last backup',
    when: 'repair',
    onPrimary: true,
    run: ({ services, engine, session, memory }) =>
      remember(memory, 'overdue', (before) => watchBackups(services, engine.config, session, before)),
  },
  {
    name: 'service levels',
    when: 'repair',
    onPrimary: true,
    run: ({ services, engine, memory }) =>
      remember(memory, 'burning', (before) => watchObjectives(services, engine.config, before)),
  },
]
