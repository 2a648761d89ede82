import { expect } from 'chai'
import { normalise } from '../src/json.ts'

describe('payload', () => {
  const data = (value: unknown): unknown => normalise(value).data

  it('is copied in the normal form of JSON', () => {
    const values = [
      null,
      0,
      -1.5,
      true,
      '',
      'é😀',
      [],
      {},
      [undefined, 1],
      { a: undefined, b: null },
      new Date(0),
      { toJSON: () => ({ x: 1 }) },
      Object(5),
    ]
    for (const value of values) expect(data(value)).to.deep.equal(JSON.parse(JSON.stringify(value)))
    expect(data(undefined)).to.equal(null)
  })

  it('holds null where an array has a hole', () => {
    expect(data(Object.assign([1], { length: 3 }))).to.deep.equal([1, null, null])
  })

  it('is detached from the caller’s object', () => {
    const inner = { n: 1 }
    const copied = data({ inner }) as { inner: { n: number } }
    inner.n = 2
    expect(copied.inner.n).to.equal(1)
  })

  it('keeps own keys of any name', () => {
    const hostile: unknown = JSON.parse('{"__proto__":{"polluted":1},"constructor":2,"toString":3}')
    const copied = data(hostile) as object
    expect(JSON.stringify(copied)).to.equal(JSON.stringify(hostile))
    expect(Object.getPrototypeOf(copied)).to.equal(Object.prototype)
  })

  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  let deep: unknown = 1
  for (let i = 0; i < 10_000; i++) deep = [deep]
  const refused: [string, unknown][] = [
    ['a circle', circular],
    ['depth 10,000', deep],
    ['a BigInt', { a: 1n }],
    ['a symbol', Symbol('s')],
    ['a function', { f: () => 1 }],
    ['NaN', NaN],
    ['Infinity', [Infinity]],
    ['an invalid Date', { at: new Date(NaN) }],
    ['half a surrogate pair', 'a\ud800'],
    ['half a surrogate pair in a key', { 'a\udc00': 1 }],
    ['a NUL character', 'a\0b'],
    ['a Map', new Map([[1, 2]])],
    ['a Set', { s: new Set([1]) }],
    ['bytes', new Uint8Array(2)],
    ['a promise', Promise.resolve(1)],
    ['an Error', { cause: new TypeError('t') }],
    ['a RegExp', /a/],
  ]
  for (const [what, value] of refused) {
    it(`refuses ${what}`, () => {
      expect(() => data(value))
        .to.throw()
        .with.property('code', 'INVALID_ARGUMENT')
    })
  }

  it('knows an upper bound of its size', () => {
    const values = [
      '',
      'é'.repeat(50),
      '"\\\n'.repeat(20),
      [1e308, -1e-308],
      { ключ: { deep: ['\u2028'] } },
      [[[]]],
      [null, true, false],
      Object.assign([], { length: 50 }),
    ]
    for (const value of values) expect(normalise(value).atMost).to.be.at.least(Buffer.byteLength(JSON.stringify(value)))
  })

  it('names the place of the fault', () => {
    expect(() => data({ order: { lines: [{}, { price: NaN }] } })).to.throw('data.order.lines[1].price')
  })
})
