import { expect } from 'chai'
import { decode, encode, readMessage, unreadable, type Message } from '@jobport/core/driver'

describe('envelope', () => {
  const message: Message = {
    version: 1,
    id: 'a',
    uid: 'u',
    name: 'n',
    data: { deep: [1, null, { '€': true }] },
    headers: { trace: '1' },
    addedAt: 5,
    attempts: 3,
    backoff: { type: 'exponential', delay: 10, max: 100, jitter: 0.5 },
    timeout: 9,
    delay: 7,
    priority: 4,
    dedup: { ttl: 2_000 },
  }

  it('gives back what went in', () => {
    expect(decode(encode(message))).to.deep.equal(message)
  })

  it('keeps fields that this version does not know', () => {
    expect(decode(encode({ ...message, tenant: { id: 7 } } as Message))).to.deep.equal({ ...message, tenant: { id: 7 } })
  })

  it('accepts the least that another client writes', () => {
    const { addedAt: _, ...least } = { id: 'a', uid: 'a', name: 'n', addedAt: 1 }
    expect(readMessage({ ...least, addedAt: 1 })).to.deep.equal({
      version: 1,
      id: 'a',
      uid: 'a',
      name: 'n',
      data: null,
      headers: {},
      addedAt: 1,
      attempts: 1,
    })
  })

  it('keeps __proto__ in the payload as data', () => {
    const read = decode(
      new TextEncoder().encode('{"id":"a","uid":"u","name":"n","addedAt":1,"data":{"__proto__":{"polluted":true}}}'),
    )
    expect(Object.keys(read.data as object)).to.deep.equal(['__proto__'])
    expect(({} as { polluted?: boolean }).polluted).to.equal(undefined)
  })

  it('reads of a newer version only what is needed to hand it back', () => {
    const newer = readMessage({ version: 2, id: 'a', uid: 'u', name: { of: 'another kind' }, attempts: 'many' })
    expect(newer).to.include({ version: 2, id: 'a', uid: 'u', data: null })
  })

  const hostile: [string, unknown][] = [
    ['no object', 7],
    ['a list', []],
    ['no id', { ...message, id: undefined }],
    ['an empty uid', { ...message, uid: '' }],
    ['a name that is a number', { ...message, name: 5 }],
    ['attempts that are no number', { ...message, attempts: '3' }],
    ['half an attempt', { ...message, attempts: 1.5 }],
    ['a negative delay', { ...message, delay: -1 }],
    ['an endless delay', { ...message, delay: Infinity }],
    ['headers that are no strings', { ...message, headers: { a: 1 } }],
    ['an unknown backoff', { ...message, backoff: { type: 'fibonacci', delay: 1 } }],
    ['a fractional version', { ...message, version: 1.5 }],
  ]
  for (const [what, value] of hostile) {
    it(`refuses ${what}`, () => {
      expect(() => readMessage(value))
        .to.throw()
        .with.property('code', 'INVALID_MESSAGE')
    })
  }

  it('refuses bytes that are no JSON, and bytes that are no UTF-8', () => {
    expect(() => decode(new TextEncoder().encode('{')))
      .to.throw()
      .with.property('code', 'INVALID_MESSAGE')
    expect(() => decode(new Uint8Array([0xff, 0xfe])))
      .to.throw()
      .with.property('code', 'INVALID_MESSAGE')
  })

  it('stands in for what cannot be read, and is itself readable', () => {
    expect(decode(encode(unreadable('u', 'garbage')))).to.include({ id: 'u', uid: 'u', data: 'garbage' })
  })
})
