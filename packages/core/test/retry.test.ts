import { expect } from 'chai'
import { RetryError, UnrecoverableError } from '@jobport/core'
import { backoffDelay, decide } from '../src/retry.ts'

describe('retry', () => {
  const error = new Error('no')

  it('runs again as the next attempt while one is left', () => {
    expect(decide(error, 1, 3, 50)).to.deep.include({ type: 'again', delay: 50, attempt: 2 })
    expect(decide(error, 2, 3, 50)).to.deep.include({ type: 'again', attempt: 3 })
  })

  it('is dead after the last attempt, and when the backoff says so', () => {
    expect(decide(error, 3, 3, 50)).to.include({ type: 'dead', reason: 'attempts' })
    expect(decide(error, 1, 1, 0)).to.include({ type: 'dead', reason: 'attempts' })
    expect(decide(error, 1, 3, 'dead')).to.include({ type: 'dead', reason: 'unrecoverable' })
  })

  it("is dead at once on an UnrecoverableError, another library's included", () => {
    class Foreign extends Error {
      override name = 'UnrecoverableError'
    }
    expect(decide(new UnrecoverableError('bad card'), 1, 5, 0)).to.include({ type: 'dead', reason: 'unrecoverable' })
    expect(decide(new Foreign('bad card'), 1, 5, 0)).to.include({ type: 'dead', reason: 'unrecoverable' })
  })

  it('lets a RetryError choose the wait, and whether it costs an attempt', () => {
    expect(decide(new RetryError('busy', { delay: 900 }), 1, 3, 50)).to.deep.include({ type: 'again', delay: 900, attempt: 2 })
    expect(decide(new RetryError('busy', { delay: 900, countAttempt: false }), 3, 3, 50)).to.deep.include({
      type: 'again',
      delay: 900,
      attempt: 3,
    })
    expect(decide(new RetryError('busy', { delay: 900 }), 3, 3, 50)).to.include({ type: 'dead', reason: 'attempts' })
    expect(() => new RetryError('busy', { delay: -1 }))
      .to.throw()
      .with.property('code', 'INVALID_ARGUMENT')
  })

  it('takes no wish from a RetryError of another kind that makes no sense', () => {
    const wish = (fields: object): Error => Object.assign(new Error('later'), { name: 'RetryError' }, fields)
    for (const delay of [Number.NaN, -1, '5', null, undefined, {}]) {
      expect(decide(wish({ delay, countAttempt: false }), 1, 3, 50)).to.deep.include({ type: 'again', delay: 50, attempt: 2 })
    }
    const hostile = Object.defineProperty(wish({}), 'delay', {
      get: () => {
        throw new Error('no')
      },
    })
    expect(decide(hostile, 1, 3, 50)).to.deep.include({ type: 'again', delay: 50, attempt: 2 })
  })

  it('carries the error as plain, bounded data', () => {
    const huge = new Error('x'.repeat(1e6))
    const { error: plain } = decide(huge, 1, 1, 0) as { error: { message: string; stack: string } }
    expect(plain.message).to.have.length(4_094).and.match(/^x+…$/)
    expect(plain.stack).to.have.length.of.at.most(16_384)
    expect(plain).not.to.be.instanceOf(Error)
  })

  const waits = (backoff: Parameters<typeof backoffDelay>[0], random?: () => number): number[] =>
    [1, 2, 3, 4, 5].map((attempt) => backoffDelay(backoff, attempt, random))

  it('computes fixed and exponential waits, capped', () => {
    expect(waits(undefined)).to.deep.equal([0, 0, 0, 0, 0])
    expect(waits({ type: 'fixed', delay: 100 })).to.deep.equal([100, 100, 100, 100, 100])
    expect(waits({ type: 'exponential', delay: 100 })).to.deep.equal([100, 200, 400, 800, 1_600])
    expect(waits({ type: 'exponential', delay: 100, max: 500 })).to.deep.equal([100, 200, 400, 500, 500])
  })

  it('takes jitter off the wait, never adds', () => {
    expect(waits({ type: 'fixed', delay: 100, jitter: 0.5 }, () => 1)).to.deep.equal([50, 50, 50, 50, 50])
    expect(waits({ type: 'fixed', delay: 100, jitter: 1 }, () => 0)).to.deep.equal([100, 100, 100, 100, 100])
  })

  it('stays finite after a thousand attempts', () => {
    for (const delay of [0, 1_000, Number.MAX_VALUE]) {
      expect(backoffDelay({ type: 'exponential', delay }, 1_000_000))
        .to.be.a('number')
        .that.satisfies(Number.isFinite)
    }
  })
})
