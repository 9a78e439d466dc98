import { describe, expect, it } from 'vitest'
import { groupEvents, sayEvent } from '../../functions/monitor/page/group-events.ts'

describe('an event in a line', () => {
  it.each([
    [
      '{"kind":"x","error":{"name":"Error","message":"no such table: a"},"database":"DB"}',
      'no such table: a – database DB',
    ],
    ['{"kind":"x","reason":"late","attempts":3}', 'late – attempts 3'],
    ['{"kind":"x","error":"one\\ntwo"}', 'one'],
    ['{"kind":"x"}', ''],
    ['{"kind":"x","error":"cut o', '{"kind":"x","error":"cut o'],
  ])('%s', (text, said) => {
    expect(sayEvent(text)).toBe(said)
  })
})

describe('events that say the same', () => {
  const event = (at: number, kind: string, said: object) => ({
    at,
    kind,
    text: JSON.stringify({ kind, ...said }),
  })

  it('are one group, whichever rows they are about, and those that came last are first', () => {
    const groups = groupEvents([
      event(1, 'job-dead', { name: 'a', id: 'DB.01M8QHJMT6BHHPR22ERT0QS1GW', error: 'no luck 1' }),
      event(5, 'job-dead', { name: 'a', id: 'DB.01M8QHKPWMMQFYX6X98TV2MRPR', error: 'no luck 22' }),
      event(4, 'job-dead', { name: 'b', id: 'DB.01M8QHKPWMMQFYX6X98TV2MRPR', error: 'no luck 3' }),
      event(9, 'store-recovered', {}),
    ])
    expect(groups.map(({ kind, count, latest, isGood }) => [kind, count, latest, isGood])).toEqual([
      ['store-recovered', 1, 9, true],
      ['job-dead', 2, 5, false],
      ['job-dead', 1, 4, false],
    ])
    expect(groups[1]?.said).toContain('no luck 22')
    expect(groups[1]?.examples.map(({ at }) => at)).toEqual([5, 1])
    expect(JSON.parse(groups[1]?.examples[0]?.detail ?? '')).toMatchObject({ name: 'a' })
  })

  it('are kept as a few examples, however many there were', () => {
    const [group] = groupEvents(Array.from({ length: 5000 }, (_, i) => event(i, 'slow', { ms: i })))
    expect(group).toMatchObject({ count: 5000, latest: 4999 })
    expect(group?.examples).toHaveLength(5)
  })
})
