import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  BadManifest,
  lineText,
  type Manifest,
  RowSum,
  readLine,
  readManifestText,
  signedText,
  valuesOf,
} from '../../db/backups/format.ts'
import { keptOf } from '../../db/backups/keep.ts'
import { readPart, writePart } from '../../db/backups/parts.ts'
import { decisions } from '../../db/backups/what-is-kept.ts'
import { primaryObjects, systemObjects } from '../../db/system/system-objects.ts'

const signer = (secret: string) => ({
  sign: async (text: string) =>
    [...new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(secret + text)))]
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join(''),
})

const manifest: Manifest = {
  format: 'atoll-backup',
  version: 1,
  id: 'b',
  kind: 'full',
  begun: '',
  finished: '',
  migrations: [],
  map: null,
  databases: [],
  tables: [],
  parts: [],
  leftOut: [],
}

describe('lines of a backup', () => {
  it('are read as they were written, with every digit', () => {
    const cell = fc.oneof(
      fc.string().map((text) => JSON.stringify(text)),
      fc.bigInt().map(String),
      fc.constant('null'),
      fc.constant('{"blob":"00"}'),
    )
    const json = fc.array(cell).map((cells) => `[${cells.join(',')}]`)
    fc.assert(
      fc.property(fc.string(), json, fc.option(fc.string()), fc.option(json), (table, key, value, row) => {
        const line = { table, key, value, row }
        expect(readLine(lineText(line))).toEqual(line)
      }),
    )
  })

  it('give the values of their rows as they are', () => {
    expect(valuesOf('[]')).toEqual([])
    expect(valuesOf('[12345678901234567890,"a,\\"]b",null,{"blob":"00"},1.5]')).toEqual([
      '12345678901234567890',
      '"a,\\"]b"',
      'null',
      '{"blob":"00"}',
      '1.5',
    ])
  })

  it('that no backup has written are refused', () => {
    for (const text of [
      '',
      '{}',
      '{"table":"a","key":[1],"row":[1]',
      '{"table":"a","key":[1],"more":1}',
      '[]',
    ])
      expect(() => readLine(text)).toThrow(SyntaxError)
  })

  it('lie in files that gunzip and JSON alone can read', async () => {
    const stored = new Map<string, Uint8Array>()
    const files = {
      put: async (key: string, bytes: Uint8Array) => void stored.set(key, bytes),
      get: async (key: string) => stored.get(key) ?? null,
      list: async () => [...stored.keys()],
      remove: async () => undefined,
    }
    const lines = [
      { table: 'albums', key: '[1]', value: null, row: '[1,"Ünder",{"blob":"00ff"}]' },
      { table: 'albums', key: '[2]', value: '7', row: null },
    ]
    const part = await writePart(files, 'b', 0, { database: 'DB', kind: 'rows' }, lines)
    const [bytes] = stored.values()
    const read = gunzipSync(bytes as Uint8Array)
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(read).toEqual([
      { table: 'albums', key: [1], row: [1, 'Ünder', { blob: '00ff' }] },
      { table: 'albums', key: [2], value: '7' },
    ])
    expect(await readPart(files, 'b', part)).toEqual(lines)
    const [name] = stored.keys()
    stored.set(name as string, (bytes as Uint8Array).with(20, 0))
    await expect(readPart(files, 'b', part)).rejects.toThrow('damaged')
    stored.clear()
    await expect(readPart(files, 'b', part)).rejects.toThrow('missing')
  })
})

describe('sums of rows', () => {
  it('are those of FNV-1a, added in any order', () => {
    const one = new RowSum()
    one.add('a', '[1]', '[1]')
    one.add('a', '[2]', '[2]')
    const other = new RowSum()
    other.add('a', '[2]', '[2]')
    const halves = RowSum.from(other.text, other.rows)
    halves.add('a', '[1]', '[1]')
    expect(halves.text).toBe(one.text)
    const prime = 0x100000001b3n
    const hash = (text: string) =>
      [...new TextEncoder().encode(text)].reduce(
        (h, byte) => ((h ^ BigInt(byte)) * prime) & 0xffffffffffffffffn,
        0xcbf29ce484222325n,
      )
    const expected = (hash('a\n[1]\n[1]') + hash('a\n[2]\n[2]')) & 0xffffffffffffffffn
    expect(one.text).toBe(expected.toString(16).padStart(16, '0'))
    expect(one.rows).toBe(2)
  })
})

describe('a manifest', () => {
  it('is JSON, and is read by who has its secret', async () => {
    const text = await signedText(manifest, signer('a'))
    expect(JSON.parse(text)).toMatchObject({ ...manifest, signature: expect.any(String) })
    expect(await readManifestText(text, signer('a'))).toEqual(manifest)
  })

  it('that somebody has changed is refused', async () => {
    const text = await signedText(manifest, signer('a'))
    await expect(readManifestText(text, signer('b'))).rejects.toThrow(BadManifest)
    await expect(readManifestText(text.replace('"id":"b"', '"id":"c"'), signer('a'))).rejects.toThrow(
      'signature',
    )
    await expect(readManifestText(JSON.stringify(manifest), signer('a'))).rejects.toThrow('no signature')
  })
})

describe('rules of what is kept', () => {
  const hourMs = 3_600_000
  const at = (text: string) => Date.parse(`${text}Z`)
  const named = (times: readonly string[]) => times.map((time) => ({ id: time, at: at(time) }))

  it('keep the last backup of each of so many hours, days, weeks and months', () => {
    const backups = named([
      '2026-11-30T10:10',
      '2026-11-30T10:50',
      '2026-11-30T09:00',
      '2026-11-30T03:00',
      '2026-11-29T23:00',
      '2026-11-29T01:00',
      '2026-11-22T12:00',
      '2026-10-01T00:00',
      '2026-08-31T23:59',
    ])
    expect([...keptOf(backups, { hourly: 2 })]).toEqual(['2026-11-30T10:50', '2026-11-30T09:00'])
    expect([...keptOf(backups, { daily: 3 })]).toEqual([
      '2026-11-30T10:50',
      '2026-11-29T23:00',
      '2026-11-22T12:00',
    ])
    // The 30th is a Monday.
    expect([...keptOf(backups, { weekly: 2 })]).toEqual(['2026-11-30T10:50', '2026-11-29T23:00'])
    expect([...keptOf(backups, { monthly: 9 })]).toEqual([
      '2026-11-30T10:50',
      '2026-10-01T00:00',
      '2026-08-31T23:59',
    ])
    expect([...keptOf(backups, {})]).toEqual(['2026-11-30T10:50'])
    expect(keptOf([], { daily: 1 }).size).toBe(0)
  })

  it('keep what an increment adds to, and of a day, a week and a month rather a full backup', () => {
    const day = (date: string) => [
      { id: `${date} full`, at: at(`${date}T03:00`) },
      ...[10, 20].map((hour, i) => ({
        id: `${date} ${hour}`,
        at: at(`${date}T${hour}:00`),
        parent: i === 0 ? `${date} full` : `${date} 10`,
      })),
    ]
    const backups = [...day('2026-11-28'), ...day('2026-11-29'), ...day('2026-11-30')]
    const today = ['2026-11-30 20', '2026-11-30 10', '2026-11-30 full']
    expect([...keptOf(backups, {})]).toEqual(today)
    expect([...keptOf(backups, { hourly: 1, daily: 2 })]).toEqual([...today, '2026-11-29 full'])
    expect([...keptOf(backups, { hourly: 5 })]).toEqual([
      ...today,
      '2026-11-29 20',
      '2026-11-29 10',
      '2026-11-29 full',
    ])
    // Full ones are made once a month.
    const rare = [
      { id: 'full', at: at('2026-11-01T03:00') },
      { id: 'a', at: at('2026-11-02T03:00'), parent: 'full' },
      { id: 'b', at: at('2026-11-03T03:00'), parent: 'a' },
      { id: 'c', at: at('2026-11-04T03:00'), parent: 'full' },
    ]
    expect([...keptOf(rare, { daily: 2 })]).toEqual(['c', 'full', 'b', 'a'])
    expect([...keptOf(rare, { daily: 1 })]).toEqual(['c', 'full'])
  })

  it('never keep more than they say, always the newest, and the same when they are applied again', () => {
    const rule = fc.integer({ min: 0, max: 5 })
    const rules = fc.record({ hourly: rule, daily: rule, weekly: rule, monthly: rule })
    const times = fc.uniqueArray(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 80 })
    fc.assert(
      fc.property(times, rules, (hours, keep) => {
        const backups = hours.map((hour) => ({
          id: String(hour),
          at: at('2026-01-01T00:00') + hour * hourMs,
        }))
        const kept = keptOf(backups, keep)
        const sum = keep.hourly + keep.daily + keep.weekly + keep.monthly
        expect(kept.size).toBeLessThanOrEqual(Math.max(1, sum))
        expect(kept.has(String(Math.max(...hours)))).toBe(true)
        expect(
          keptOf(
            backups.filter(({ id }) => kept.has(id)),
            keep,
          ),
        ).toEqual(kept)
      }),
    )
  })
})

describe("Atoll's own tables", () => {
  it('are all decided on, and no others', () => {
    const made = [...systemObjects, ...primaryObjects].flatMap(
      (sql) => /CREATE (?:VIRTUAL )?TABLE IF NOT EXISTS (\w+)/.exec(sql)?.[1] ?? [],
    )
    expect(decisions.map(({ table }) => table).sort()).toEqual(made.sort())
  })
})
