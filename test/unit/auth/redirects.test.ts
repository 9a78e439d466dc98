import { describe, expect, it } from 'vitest'
import { isLike, redirectOf } from '../../../functions/auth/redirects.ts'

const like = (address: string, pattern: string) => isLike(new URL(address), pattern)

const visit = (redirects: readonly string[], catchesMail = false) =>
  ({
    terms: { redirects },
    url: new URL('https://api.example.com/auth/v1/verify'),
    services: { catchesMail },
  }) as never

describe('a pattern of redirects', () => {
  it('is compared with scheme, host and path, each by itself', () => {
    expect(like('https://a.example.com/x', 'https://a.example.com/**')).toBe(true)
    expect(like('https://a.example.com/x/y?z=1', 'https://a.example.com/**')).toBe(true)
    expect(like('https://a.example.com/x/y', 'https://a.example.com/*')).toBe(false)
    expect(like('https://b.example.com/', 'https://*.example.com/**')).toBe(true)
    expect(like('https://a.b.example.com/', 'https://*.example.com/**')).toBe(false)
    expect(like('https://a.b.example.com/', 'https://**.example.com/**')).toBe(false)
    expect(like('https://evil.example/.example.com/', 'https://*.example.com/**')).toBe(false)
    expect(like('https://evil.example/?.example.com/', 'https://**.example.com/**')).toBe(false)
    expect(like('http://a.example.com/', 'https://a.example.com/**')).toBe(false)
    expect(like('https://a.example.com:444/', 'https://a.example.com/**')).toBe(false)
    expect(like('http://localhost:3000/', 'http://localhost:*/**')).toBe(true)
    expect(like('https://aXexample.com/', 'https://a.example.com/**')).toBe(false)
  })

  it('without a path is the page at the root', () => {
    expect(like('https://a.example.com/', 'https://a.example.com')).toBe(true)
    expect(like('https://a.example.com/x', 'https://a.example.com')).toBe(false)
  })

  it("may name an app's own scheme", () => {
    expect(like('myapp://callback', 'myapp://callback')).toBe(true)
    expect(like('myapp://other', 'myapp://callback')).toBe(false)
    expect(like('https://callback', '*://callback')).toBe(false)
  })
})

describe('who is sent back', () => {
  it('ends up where they want when that is allowed, or at the first address that is', () => {
    const terms = visit(['https://*.preview.example.com/**', 'https://app.example.com/in/**'])
    expect(redirectOf(terms, 'https://x.preview.example.com/a')).toBe('https://x.preview.example.com/a')
    expect(redirectOf(terms, 'https://evil.example/')).toBe('https://app.example.com/in/')
    expect(redirectOf(terms, null)).toBe('https://app.example.com/in/')
    expect(redirectOf(visit([]), 'https://evil.example/')).toBe('https://api.example.com/')
    for (const open of [
      'https://app.dev*.example.com/**',
      'https://*.example.com/**',
      'http*://app.example.com/**',
      'https://app.example.com:*/**',
    ]) {
      expect(redirectOf(visit([open]), null)).toBe('https://api.example.com/')
      expect(redirectOf(visit([open, 'https://app.example.com/in/**']), 'https://app.dev/x')).toBe(
        'https://app.example.com/in/',
      )
    }
  })

  it("ends up on the developer's machine only where nothing is sent", () => {
    expect(redirectOf(visit([], true), 'http://localhost:3000/x')).toBe('http://localhost:3000/x')
    expect(redirectOf(visit([]), 'http://localhost:3000/x')).toBe('https://api.example.com/')
    expect(redirectOf(visit([], true), 'http://localhost.evil.example/')).toBe('https://api.example.com/')
  })

  it('is not led astray by what browsers read otherwise', () => {
    const terms = visit(['https://app.example.com/**'])
    for (const bad of [
      'https:\\\\evil.example',
      'https://app.example.com\n.evil.example/',
      'https://user:word@app.example.com/',
      'javascript:alert(1)',
      'blob:https://app.example.com/x',
      ' https://app.example.com/',
      '/relative',
      '',
    ])
      expect([bad, redirectOf(terms, bad)]).toEqual([bad, 'https://app.example.com/'])
  })
})
