import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mergeToml } from '../../../functions/local/upgrade/merge-toml.ts'
import { readToml, writeToml } from '../../../functions/local/upgrade/toml-blocks.ts'

const shipped = readFileSync(join(import.meta.dirname, '..', '..', '..', 'wrangler.toml'), 'utf8')

const base = `name = "atoll"
main = "functions/old.ts"
compatibility_date = "2026-01-01"
compatibility_flags = ["a", "given_up"]

# The databases.
[[d1_databases]]
binding = "DB"
database_name = "atoll"
database_id = "0000"

[[d1_databases]]
binding = "SHARD_1"
database_name = "atoll-1"

[vars]
ATOLL_LIMITS = "on" # or off
OLD = "x"

[[queues.producers]]
binding = "QUEUE"
queue = "atoll-jobs"

[[queues.consumers]]
queue = "atoll-jobs"
max_retries = 10

[[durable_objects.bindings]]
name = "RELAY"
class_name = "Relay"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Relay"]

[triggers]
crons = ["*/5 * * * *"]
`

const theirs = `name = "shop" # ours
main = "functions/old.ts"
compatibility_date = "2026-01-01"
compatibility_flags = ["a", "given_up", "nodejs_compat"]
routes = [
  "shop.example.com/*", # "the shop" [
]

# The databases.
[[d1_databases]]
binding = "DB"
database_name = "shop"
database_id = "abcd"

# What we say.
[vars]
ATOLL_LIMITS = "off"
OLD = "x"
SHOP = """
[vars]
several = "lines"
"""

[[queues.producers]]
binding = "QUEUE"
queue = "shop-jobs"

[[queues.consumers]]
queue = "shop-jobs"
max_retries = 10

[[durable_objects.bindings]]
name = "RELAY"
class_name = "Relay"

[[durable_objects.bindings]]
name = "CARTS"
class_name = "Carts"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["Relay"]

[[migrations]]
tag = "v2"
new_sqlite_classes = ["Carts"]

[triggers]
crons = ["0 4 * * *"]

[env.staging]
name = "shop-staging"
# the end
`

const next = base
  .replace('functions/old.ts', 'functions/index.ts')
  .replace('"a", "given_up"', '"a", "b"')
  .replace('2026-01-01', '2026-11-01')
  .replace('# The databases.', '# The databases, in other words.')
  .replace('database_id = "0000"\n', '')
  .replace('OLD = "x"\n', 'NEW = "y"\n')
  .replace('max_retries = 10', 'max_retries = 5\nmax_batch_size = 20')
  .replace(
    '[[migrations]]\ntag',
    '[[durable_objects.bindings]]\nname = "METRICS"\nclass_name = "Metrics"\n\n[[migrations]]\ntag',
  )
  .replace(
    '[triggers]',
    '[[migrations]]\ntag = "v2"\nnew_sqlite_classes = ["Metrics"]\n\n[[d1_databases]]\nbinding = "SHARD_2"\n\n# New.\n[images]\nbinding = "IMAGES"\n\n[triggers]',
  )

describe('wrangler.toml', () => {
  it.each([
    ['the shipped one', shipped],
    ['one with texts and lists of several lines', theirs],
  ])('is the same text when it is read and written: %s', (_, text) => {
    expect(writeToml(readToml(text))).toBe(text)
  })

  it('is what Atoll has changed and what the fork has, comments included', () => {
    const { text, notes } = mergeToml(base, theirs, next)
    const wanted = theirs
      .replace('functions/old.ts', 'functions/index.ts')
      .replace('"a", "given_up", "nodejs_compat"', '"a", "b", "nodejs_compat"')
      .replace('2026-01-01', '2026-11-01')
      .replace('# The databases.', '# The databases, in other words.')
      .replace('OLD = "x"\n', 'NEW = "y"\n')
      .replace(
        '\n[[durable_objects.bindings]]\nname = "CARTS"',
        '\n[[durable_objects.bindings]]\nname = "METRICS"\nclass_name = "Metrics"\n\n[[durable_objects.bindings]]\nname = "CARTS"',
      )
    expect(text.replace(/\n# New\.\n\[images\]\nbinding = "IMAGES"\n/, '')).toBe(
      wanted.replace(
        '\n[triggers]',
        '\n[[migrations]]\ntag = "atoll-v2"\nnew_sqlite_classes = ["Metrics"]\n\n[triggers]',
      ),
    )
    expect(text).toContain('# New.\n[images]\nbinding = "IMAGES"\n')
    expect(notes).toEqual(["[[migrations]] v2 is yours; Atoll's is atoll-v2, behind it"])
    expect(mergeToml(next, text, next).text).toBe(text)
  })

  it('says where both have changed the same', () => {
    const change = (text: string, to: string) => text.replace('"*/5 * * * *"', `"${to}"`)
    const { text, notes } = mergeToml(base, change(base, 'a'), change(next, 'b'))
    expect(text).toContain('crons = ["a"]')
    expect(notes).toEqual(['[triggers] crons stays ["a"]; Atoll\'s is ["b"]'])
  })

  it('loses nothing and brings nothing that may have been taken away when the version of the fork is not at hand', () => {
    const { text, notes } = mergeToml(null, theirs, next)
    for (const line of theirs.split('\n').filter((line) => !/^(?:main|compatibility_)/.test(line)))
      expect(text).toContain(line)
    expect(text).not.toMatch(/SHARD|atoll-jobs/)
    expect(text).toContain('main = "functions/index.ts"')
    expect(text).toContain('name = "METRICS"')
    expect(text).toContain('NEW = "y"')
    expect(notes).toEqual([
      'main is Atoll\'s "functions/index.ts"; yours was "functions/old.ts"',
      '[[queues.consumers]] "atoll-jobs" is not in yours, and was not added: your version of Atoll is not at hand to tell whether you took it away',
      "[[migrations]] v2 is yours; Atoll's is atoll-v2, behind it",
    ])
  })

  it('keeps the shipped one as it is when nothing has changed', () => {
    expect(mergeToml(shipped, shipped, shipped)).toEqual({ text: shipped, notes: [] })
    expect(mergeToml(null, shipped, shipped)).toEqual({ text: shipped, notes: [] })
  })
})
