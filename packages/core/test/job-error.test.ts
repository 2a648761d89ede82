import { expect } from 'chai'
import { array, assert, constantFrom, integer, property, tuple } from 'fast-check'
import { toJobError } from '@jobport/core/driver'
import { bareError, toError } from '../src/job-error.ts'

describe('the error of a job', () => {
  const bytes = (text: string): number => Buffer.byteLength(JSON.stringify(text)) - 2

  const toss = (value: unknown): never => {
    throw value
  }
  const throwing = (...fields: string[]): Error => {
    const error = new Error('m')
    for (const field of fields)
      Object.defineProperty(error, field, {
        get: () => {
          toss(undefined)
        },
      })
    return error
  }
  const revoked = (): unknown => {
    const { proxy, revoke } = Proxy.revocable(new Error('m'), {})
    revoke()
    return proxy
  }
  const trapped = (): unknown => {
    const trap = (): never => {
      throw new Error('trap')
    }
    return new Proxy(new Error('m'), {
      get: trap,
      has: trap,
      getPrototypeOf: trap,
      ownKeys: trap,
      getOwnPropertyDescriptor: trap,
    })
  }

  const hostile: Record<string, () => unknown> = {
    'a symbol for its name': () => Object.assign(new Error('m'), { name: Symbol('n') }),
    'an object without a prototype for its name': () => Object.assign(new Error('m'), { name: Object.create(null) as object }),
    'a name that throws': () => throwing('name'),
    'a message that throws': () => throwing('message'),
    'a stack that throws': () => throwing('stack'),
    'nothing that can be read': () => throwing('name', 'message', 'stack'),
    'a revoked proxy': revoked,
    'a proxy whose traps throw': trapped,
    'an object whose own view of itself throws': () => ({
      get [Symbol.toStringTag](): string {
        throw new Error('no')
      },
      [Symbol.for('nodejs.util.inspect.custom')]: () => {
        throw new Error('no')
      },
    }),
    'a function': () => () => 1,
  }
  for (const [what, make] of Object.entries(hostile)) {
    it(`is made of ${what}`, () => {
      for (const error of [toJobError(make()), toJobError(toError(make()))]) {
        expect(error.name).to.be.a('string')
        expect(error.message).to.be.a('string')
        expect(['string', 'undefined']).to.include(typeof error.stack)
      }
      expect(toError(make())).to.be.instanceOf(Error)
    })
  }

  it('is made soon of a thrown object with many fields', () => {
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`field-${i}`, i]))
    // the process's own time: a busy machine may make it wait
    const start = process.cpuUsage()
    for (const thrown of [wide, { nested: wide }, [wide], [1, wide]]) toError(thrown)
    expect(process.cpuUsage(start).user / 1_000, 'ms').to.be.below(2_000)
    expect(toError([1, wide]).message).to.equal("[ 1, '…' ]")
    expect(toError({ code: 5, detail: { why: 'no' } }).message).to.equal("{ code: 5, detail: { why: 'no' } }")
  })

  it('is made soon of a large buffer, and of an object that has one', () => {
    const body = Buffer.alloc(20_000_000, 'a')
    const start = process.cpuUsage()
    expect(toError(body).message).to.match(/^<Buffer 61 61/)
    expect(toError({ status: 500, body }).message)
      .to.include('status: 500')
      .and.include('<Buffer 61 61')
    expect(process.cpuUsage(start).user / 1_000, 'ms').to.be.below(500)
  })

  it('is made although Error.prepareStackTrace throws', () => {
    const { prepareStackTrace } = Error
    Error.prepareStackTrace = () => {
      throw new Error('no')
    }
    try {
      expect(toJobError(toError(new Error('kept')))).to.include({ name: 'Error', message: 'kept' })
    } finally {
      Error.prepareStackTrace = prepareStackTrace
    }
  })

  it('fits its limits in JSON, is well formed and without NUL, and keeps what fits', () => {
    const unit = constantFrom('a', '"', '\\', '\n', '\u0001', '\u007f', '\0', 'é', '語', '😀', '\ud83d', '\ude00', '\u2028')
    const text = tuple(array(unit, { maxLength: 40 }), integer({ min: 0, max: 900 })).map(([units, n]) =>
      units.join('').repeat(n),
    )
    assert(
      property(text, text, text, (name, message, stack) => {
        const error = toJobError({ name, message, stack })
        for (const [key, most] of [
          ['name', 256],
          ['message', 4_096],
          ['stack', 16_384],
        ] as const) {
          const given = { name, message, stack }[key]
          const kept = error[key]!
          expect(bytes(kept), key).to.be.at.most(most)
          expect(kept.isWellFormed()).to.equal(true)
          expect(kept).not.to.include('\0')
          const whole = given.toWellFormed().replaceAll('\0', '\ufffd')
          if (bytes(whole) <= most) expect(kept).to.equal(whole)
          else expect(kept.endsWith('…') && whole.startsWith(kept.slice(0, -1)) && bytes(kept) > most - 8).to.equal(true)
        }
        expect(bytes(bareError(error).message)).to.be.at.most(256)
      }),
    )
  })
})
