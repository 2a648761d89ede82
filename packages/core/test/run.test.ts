import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { JobportError, RetryError, UnrecoverableError, type Job } from '@jobport/core'
import { Lease, type Delivery, type Message } from '@jobport/core/driver'
import { Run, type RunPolicy, type Verdict } from '../src/run.ts'
import type { Handler } from '../src/middleware.ts'

describe('a run', () => {
  const DAY = 86_400_000
  const toss = (value: unknown): never => {
    throw value
  }

  const start = (handler: Handler, policy: Partial<RunPolicy> = {}, message: Partial<Message> = {}) => {
    const reports: JobportError[] = []
    const lease = new Lease()
    const delivery: Delivery = {
      message: { version: 1, id: 'i', uid: 'u', name: 'n', data: null, headers: {}, addedAt: 0, attempts: 3, ...message },
      attempt: 1,
      crashes: 0,
      stalled: false,
      lease,
      settle: async () => {},
      abandon: () => {},
    }
    const run = new Run({ id: 'i', name: 'n', attempt: 1, attempts: 3 } as Job, delivery)
    const report = (error: Error): void => void reports.push(error as JobportError)
    const end: Promise<Verdict> = run.execute(handler, { abortGrace: 1_000, maxWait: DAY, maxResult: 1_000, report, ...policy })
    return { run, lease, reports, end }
  }
  const onAbort =
    (then: (signal: AbortSignal) => unknown): Handler =>
    (_job, signal) =>
      new Promise((resolve, reject) =>
        signal.addEventListener('abort', () => {
          try {
            resolve(then(signal))
          } catch (thrown) {
            reject(thrown)
          }
        }),
      )
  const errorOf = async (end: Promise<Verdict>): Promise<{ name: string; message: string }> => {
    const { outcome } = await end
    return (outcome as { error: { name: string; message: string } }).error
  }

  it('ends after its timeout with the handler, and has failed whatever that returns', async () => {
    let ended = 0
    const before = performance.now()
    const { end, reports } = start(
      async (_job, signal) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        await sleep(60)
        ended = performance.now()
        return 'late'
      },
      { timeout: 20 },
    )
    expect((await end).outcome).to.include({ type: 'again', delay: 0, attempt: 2 })
    expect(await errorOf(end)).to.have.property('message', 'the run took longer than 20 ms')
    expect(performance.now()).to.be.at.least(ended)
    expect(ended - before).to.be.at.least(75)
    expect(reports).to.deep.equal([])
  })

  it('counts what the handler throws when it is aborted', async () => {
    const dead = start(
      onAbort(() => {
        throw new UnrecoverableError('no use')
      }),
      { timeout: 10 },
    )
    expect((await dead.end).outcome).to.include({ type: 'dead', reason: 'unrecoverable' })
    const later = start(
      onAbort(() => {
        throw new RetryError('later', { delay: 77 })
      }),
      { timeout: 10 },
    )
    expect((await later.end).outcome).to.include({ type: 'again', delay: 77 })
    const reason = start(
      onAbort((signal) => {
        throw signal.reason as Error
      }),
      { timeout: 10 },
    )
    expect(await errorOf(reason.end)).to.include({ name: 'JobportError', message: 'the run took longer than 10 ms' })
    const aborted = start(
      onAbort(() => {
        throw new DOMException('aborted', 'AbortError')
      }),
      { timeout: 10 },
    )
    expect(await errorOf(aborted.end)).to.include({ message: 'the run took longer than 10 ms' })
  })

  it('ends without the handler once the grace is over, and names what ignores its signal', async () => {
    const { end, reports } = start(() => new Promise(() => {}), { timeout: 10, abortGrace: 50 })
    const before = performance.now()
    expect(await errorOf(end)).to.have.property('message', 'the run took longer than 10 ms')
    expect(performance.now() - before).to.be.at.least(55)
    expect(reports.map(({ code, id }) => ({ code, id }))).to.deep.equal([{ code: 'TIMEOUT', id: 'i' }])
    expect(reports[0]!.message).to.include('n i still runs long after its timeout')
  })

  it('ends although a thenable gives it a promise that never settles', async () => {
    // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
    const thenable = { then: (resolve: (value: unknown) => void) => resolve(new Promise(() => {})) }
    const { end } = start(() => thenable, { timeout: 10, abortGrace: 20 })
    expect((await end).outcome).to.include({ type: 'again' })
  })

  it('never ends later than it was told to', async () => {
    const { run, end } = start(() => new Promise(() => {}), { timeout: 60, abortGrace: 60_000 })
    const before = performance.now()
    run.end(new JobportError('CLOSED', 'stop'), 100)
    expect(await end).to.deep.equal({ outcome: { type: 'release' } })
    expect(performance.now() - before).to.be.below(5_000)
  })

  it('counts what a getter shows the first time only', async () => {
    for (const field of ['name', 'message', 'stack']) {
      let reads = 0
      const shifty = Object.defineProperty(new Error('m'), field, {
        get: () => (++reads > 1 ? toss(new Error('again')) : 'once'),
      })
      const failed = start(
        onAbort(() => toss(shifty)),
        { timeout: 10 },
      )
      expect((await failed.end).outcome).to.include({ type: 'again' })
      reads = 0
      const stored = start(() => ({ toJSON: () => toss(shifty) }))
      expect((await stored.end).outcome).to.deep.equal({ type: 'complete', result: null })
    }
  })

  it('ends at once when its lease is lost, also within the grace', async () => {
    const { end, lease } = start(() => new Promise(() => {}), { timeout: 10, abortGrace: 60_000 })
    await sleep(30)
    lease.lose()
    expect(await end).to.have.nested.property('error.code', 'LEASE_LOST')
    expect(await end).not.to.have.property('outcome')
  })

  it('is given back when it is stopped, whatever the handler does then', async () => {
    const stopped = new JobportError('CLOSED', 'stop')
    for (const handler of [
      onAbort(() => 'late'),
      onAbort(() => {
        throw new UnrecoverableError('x')
      }),
      () => new Promise(() => {}),
    ]) {
      const { run, end } = start(handler)
      run.end(stopped, 30)
      expect(await end).to.deep.equal({ outcome: { type: 'release' } })
    }
  })

  it('stays failed when it is stopped after its timeout', async () => {
    const { run, end } = start(() => new Promise(() => {}), { timeout: 10, abortGrace: 60_000 })
    await sleep(30)
    run.end(new JobportError('CLOSED', 'stop'), 10)
    expect(await errorOf(end)).to.have.property('message', 'the run took longer than 10 ms')
  })

  it('completes although its result cannot be stored, and says so', async () => {
    const circle: unknown[] = []
    circle.push(circle)
    const bad: unknown[] = [
      {
        toJSON: () => {
          return toss(undefined)
        },
      },
      Object.defineProperty({}, 'x', {
        enumerable: true,
        get: () => {
          return toss(undefined)
        },
      }),
      circle,
      1n,
      'x'.repeat(1_000),
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw Object.create(null) as Error
          },
        },
      ),
    ]
    for (const result of bad) {
      const { end, reports } = start(() => ({ result }))
      expect((await end).outcome).to.deep.equal({ type: 'complete', result: null })
      expect(reports).to.have.length(1)
      expect(reports[0]!.message).to.include('the result of n i is not stored')
    }
    const fits = start(() => 'x'.repeat(998))
    expect((await fits.end).outcome).to.deep.equal({ type: 'complete', result: 'x'.repeat(998) })
  })

  it('waits whole ms before a retry, and no longer than the broker can, and says so', async () => {
    const fail = (): never => {
      throw new Error('no')
    }
    for (const [backoff, delay, told] of [
      [() => 0.5, 1, 0],
      [() => -5, 0, 0],
      [() => 1e15, DAY, 1],
      [() => 1e300, DAY, 1],
      [() => Number.MAX_SAFE_INTEGER, DAY, 1],
      [() => Infinity, DAY, 1],
      [() => Number.NaN, 0, 1],
      [() => Symbol('s') as never, 0, 1],
      [
        () => {
          return toss(undefined)
        },
        0,
        1,
      ],
      [() => Promise.reject(Object.create(null) as Error), 0, 1],
    ] as const) {
      const { end, reports } = start(fail, { backoff })
      expect((await end).outcome, String(backoff)).to.include({ type: 'again', delay })
      expect(reports).to.have.length(told)
    }
    const wish = start(() => {
      throw new RetryError('later', { delay: 1e300 })
    })
    expect((await wish.end).outcome).to.include({ type: 'again', delay: DAY })
    const own = start(fail, {}, { backoff: { type: 'exponential', delay: 1e300 } })
    expect((await own.end).outcome).to.include({ type: 'again', delay: DAY })
  })
})
