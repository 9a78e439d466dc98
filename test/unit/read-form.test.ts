import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { readForm } from '../../functions/storage/read-form.ts'

const encoder = new TextEncoder()
const crlf = (lines: readonly string[]) => encoder.encode(lines.join('\r\n'))
const formType = 'multipart/form-data; boundary=edge'

/** A body that arrives in these pieces, one each time that it is asked for more. */
function streamOf(pieces: Iterable<Uint8Array>): ReadableStream<Uint8Array> {
  const rest = pieces[Symbol.iterator]()
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const { done, value } = rest.next()
        if (done) controller.close()
        else controller.enqueue(value)
      },
    },
    { highWaterMark: 0 },
  )
}

function piecesOf(body: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const ends = [...new Set(cuts), body.length].sort((a, b) => a - b)
  return ends.map((end, i) => body.slice(ends[i - 1] ?? 0, end)).filter(({ length }) => length > 0)
}

async function read(pieces: Iterable<Uint8Array>, type = formType) {
  const form = await readForm(streamOf(pieces), type)
  const chunks: Uint8Array[] = []
  for await (const chunk of form.file) chunks.push(chunk)
  return {
    fields: Object.fromEntries(form.fields),
    mime: form.mime,
    file: Buffer.concat(chunks).toString('latin1'),
  }
}

/** A file behind a field whose Content-Disposition is this. */
const withDisposition = (disposition: string, header = 'X-Nothing: 1') => [
  crlf([
    '--edge',
    `Content-Disposition: ${disposition}`,
    header,
    '',
    'first',
    '--edge',
    'Content-Disposition: form-data; name="file"; filename="b.txt"',
    'Content-Type: text/plain',
    '',
    'second',
    '--edge--',
    '',
  ]),
]

const refusedAsForm = { status: 400, body: { code: 'InvalidRequest' } }

const sample = crlf([
  '--edge',
  'Content-Disposition: form-data; name="título €"',
  '',
  'Grüße\r\n--edg',
  '--edge',
  'Content-Disposition: form-data; name=""; filename="日本 – 2024.txt"',
  'content-type: text/plain',
  '',
  '\r\n\r--edge\r\n--ed\r\n-',
  '',
  '--edge',
  'Content-Disposition: form-data; name="metadata"',
  '',
  '{}',
  '--edge--',
  '',
])
const sampleRead = {
  fields: { 'título €': 'Grüße\r\n--edg', metadata: '{}' },
  mime: 'text/plain',
  file: '\r\n\r--edge\r\n--ed\r\n-\r\n',
}

/** The search for boundaries has one way for Node and another for a Worker, which it takes beside these, too. */
const searches = ['Node', 'Bun'] as const
afterEach(() => void vi.unstubAllGlobals())

describe.each(searches)('where packets end, with the search that %s gets,', (platform) => {
  const choose = () => {
    if (platform === 'Bun') vi.stubGlobal('Bun', {})
  }

  it('changes nothing, wherever it is', async () => {
    choose()
    for (const first of sample.keys()) {
      expect([first, await read(piecesOf(sample, [first]))]).toEqual([first, sampleRead])
    }
    expect(await read([...sample].map((byte) => Uint8Array.of(byte)))).toEqual(sampleRead)
    const cuts = fc.array(fc.integer({ min: 1, max: sample.length - 1 }), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(cuts, async (places) => {
        expect(await read(piecesOf(sample, places))).toEqual(sampleRead)
      }),
      { numRuns: 300 },
    )
  })

  it('changes nothing in what comes around a form', async () => {
    choose()
    const padded = Buffer.from(sample).toString('latin1').replaceAll('--edge\r\n', '--edge \t\r\n')
    const around = Buffer.from(`for old clients\r\n${padded}\r\nno header: \r\n--edge\r\n`, 'latin1')
    const wanted = { ...sampleRead, file: '\r\n\r--edge \t\r\n--ed\r\n-\r\n' }
    for (const cut of around.keys()) {
      expect([cut, await read(piecesOf(new Uint8Array(around), [cut]))]).toEqual([cut, wanted])
    }
  })

  it('makes no form of one that is cut short', async () => {
    choose()
    // Of the last line, the line break may be missing.
    for (let length = 0; length < sample.length - 2; length++) {
      const part = sample.slice(0, length)
      await expect(read([part])).rejects.toMatchObject(refusedAsForm)
      await expect(read(piecesOf(part, [length - 1]))).rejects.toMatchObject(refusedAsForm)
    }
    expect(await read([sample.slice(0, -2)])).toEqual(sampleRead)
  })
})

describe('names', () => {
  it("are read as the platform's own parser reads them", async () => {
    const name = fc.string({
      unit: fc.oneof(
        fc.constantFrom('"', '\\', ';', '=', '%', '%22', '€', '日', 'é', '\r\n', ' ', "'", '; filename="x"'),
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
      ),
      minLength: 1,
      maxLength: 8,
    })
    // The library takes no control characters in headers, and neither does HTTP.
    const plain = name.filter((text) => !/[^\P{Cc}\r\n]/u.test(text))
    await fc.assert(
      fc.asyncProperty(plain, plain, fc.boolean(), async (field, filename, isFirst) => {
        const form = new FormData()
        const add = () => form.append(field, 'value')
        if (isFirst) add()
        form.append('file', new File(['bytes'], filename, { type: 'image/png' }))
        if (!isFirst) add()
        const response = new Response(form)
        const type = response.headers.get('content-type') as string
        const body = new Uint8Array(await response.arrayBuffer())
        const platform = await new Response(body, { headers: { 'Content-Type': type } }).formData()
        const fields = [...platform].filter(([, value]) => typeof value === 'string')
        expect(await read([body], type)).toEqual({
          fields: Object.fromEntries(fields),
          mime: 'image/png',
          file: 'bytes',
        })
      }),
      { numRuns: 300 },
    )
  })

  it.each([
    ['beyond U+00FF', 'form-data; name="€"', '€'],
    ['with a backslash at its end', 'form-data; name="a\\"', 'a\\'],
    ['with a backslash inside', 'form-data; name="C:\\a"', 'C:\\a'],
    ['with quotation marks, as curl writes them', 'form-data; name="a\\"; x=\\"b"', 'a"; x="b'],
    ['with quotation marks, as browsers write them', 'form-data; name="a%22%0D%0Ab"', 'a"\r\nb'],
    ['with percent signs', 'form-data; name="100%41%"', '100%41%'],
    ['without quotation marks', 'FORM-DATA ;NAME = 日本 x ; ', '日本 x'],
    ['encoded by RFC 5987', "form-data; name*=utf-8''%E2%82%AC%22", '€"'],
    ['encoded beside a plain one', `form-data; name*=UTF-8'en'%E2%82%AC; name="EUR"`, '€'],
    ['encoded in Latin-1', "form-data; name*=iso-8859-1''%e9t%E9", 'été'],
    ['encoded wrongly beside a plain one', `form-data; name="plain"; name*=UTF-8''%FF`, 'plain'],
  ])('%s are names of fields', async (_, disposition, wanted) => {
    expect(await read(withDisposition(disposition))).toEqual({
      fields: { [wanted]: 'first' },
      mime: 'text/plain',
      file: 'second',
    })
  })

  it.each([
    ['beyond U+00FF', 'form-data; name="photo"; filename="日本.png"'],
    ['with a backslash at its end', 'form-data; name="photo"; filename="C:\\"'],
    ['with an end of its own inside', 'form-data; name="photo"; filename="a\\"; name=\\"b"'],
    ['encoded by RFC 5987', "form-data; name=photo; filename*=UTF-8''%E6%97%A5.png"],
    ['encoded wrongly', "form-data; name=photo; filename*=UTF-8''%E6%9"],
    ['encoded unlike anything', 'form-data; name=photo; filename*=日本.png'],
    ['that is empty', 'form-data; name="photo"; filename=""'],
    ['and no name', 'form-data; name=""'],
  ])('of files %s make a file of a part', async (_, disposition) => {
    const image = { fields: {}, mime: 'image/png', file: 'first' }
    expect(await read(withDisposition(disposition, 'Content-Type: image/png'))).toEqual(image)
    const { mime } = await read(withDisposition(disposition))
    expect(mime).toBe(disposition.includes('filename') ? 'application/octet-stream' : 'text/plain')
  })

  it('in bytes that are no UTF-8 are still names', async () => {
    const text =
      '--edge\r\nContent-Disposition: form-data; name="f"; filename="été.txt"\r\n\r\nhello\r\n--edge--'
    const body = new Uint8Array(Buffer.from(text, 'latin1'))
    expect(await read([body])).toMatchObject({ mime: 'application/octet-stream', file: 'hello' })
  })

  it.each([
    ['no name', 'form-data; filename="a.txt"'],
    ['another disposition', 'attachment; name="a"; filename="a.txt"'],
    ['something between parameters', 'form-data; name="a" b; filename="a.txt"'],
    ['a second disposition', 'form-data; name="a"\r\nContent-Disposition: form-data; name="b"'],
    ['a line that is no header', 'form-data; name="a"\r\nnothing'],
  ])('are asked for: %s is refused', async (_, disposition) => {
    await expect(read(withDisposition(disposition))).rejects.toMatchObject(refusedAsForm)
  })
})

describe('a form', () => {
  it('has a boundary', async () => {
    expect(await read([sample], 'Multipart/Form-Data; charset=utf-8; Boundary="edge"')).toEqual(sampleRead)
    for (const type of ['multipart/form-data', 'multipart/form-data; boundary=""']) {
      await expect(read([sample], type)).rejects.toMatchObject(refusedAsForm)
    }
  })

  it('has fields in their own character sets', async () => {
    const body = Buffer.from(
      '--edge\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nété\r\n' +
        '--edge\r\nContent-Disposition: form-data; name=""\r\n\r\n\r\n--edge--',
      'latin1',
    )
    const wanted = { fields: { a: 'été' }, mime: 'text/plain', file: '' }
    expect(await read([new Uint8Array(body)])).toEqual(wanted)
  })

  it('has bounds', async () => {
    const field = (length: number) => [
      '--edge',
      'Content-Disposition: form-data; name="a"',
      '',
      'x'.repeat(length),
    ]
    const file = ['--edge', 'Content-Disposition: form-data; name=""', '', 'hello', '--edge--']
    const inPieces = (body: Uint8Array) =>
      piecesOf(
        body,
        [...Array(40).keys()].map((i) => i * 60_000),
      )
    const large = await read(inPieces(crlf([...field(100_000), ...file])))
    expect(large.fields.a).toHaveLength(100_000)
    const refused = [
      crlf([...field(100_001), ...file]),
      crlf([...field(60_000), ...field(60_000), ...file]),
      crlf([...Array(20).fill(field(1)).flat(), ...file]),
      crlf(['--edge', `X: ${'x'.repeat(17_000)}`, ...file.slice(1)]),
    ]
    for (const body of refused) {
      await expect(read([body])).rejects.toMatchObject(refusedAsForm)
      await expect(read(inPieces(body))).rejects.toMatchObject(refusedAsForm)
    }
    expect((await read([crlf([...Array(19).fill(field(1)).flat(), ...file])])).file).toBe('hello')
  })

  it('flows: a file is never waited for', async () => {
    const piece = new Uint8Array(64 * 1024).fill(13)
    let sent = 0
    function* pieces() {
      yield crlf(['--edge', 'Content-Disposition: form-data; name=""; filename="€"', '', ''])
      for (let i = 0; i < 500; i++) {
        sent += piece.length
        yield piece.slice()
      }
      yield crlf(['', '--edge--', ''])
    }
    const form = await readForm(streamOf(pieces()), formType)
    let length = 0
    let held = 0
    for await (const chunk of form.file) {
      held = Math.max(held, sent - length)
      length += chunk.length
    }
    expect(length).toBe(500 * piece.length)
    expect(held).toBeLessThan(3 * piece.length)
  })
})
