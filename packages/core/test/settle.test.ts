import { mock } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import { JobportError } from '@jobport/core'
import { Lease, type Delivery, type Outcome } from '@jobport/core/driver'
import { settle } from '../src/settle.ts'

describe('settling, on a broker that refuses', () => {
  const error = { name: 'TypeError', message: 'm'.repeat(4_000), stack: 's'.repeat(10_000) }
  const rejected = new JobportError('REJECTED', 'too large')

  /** A delivery that takes only what `takes` says; a promise is its answer. */
  const setUp = (takes: (outcome: Outcome) => boolean | Promise<void>, refusal: Error = rejected) => {
    const tried: Outcome[] = []
    const seen = { tried, stuck: 0, abandoned: 0, reports: [] as JobportError[] }
    const lease = new Lease()
    const delivery: Delivery = {
      message: { version: 1, id: 'i', uid: 'u', name: 'job', data: null, headers: {}, addedAt: 0, attempts: 1 },
      attempt: 1,
      crashes: 0,
      stalled: false,
      lease,
      settle: async (outcome) => {
        tried.push(outcome)
        const taken = takes(outcome)
        if (taken instanceof Promise) return taken
        if (!taken) throw refusal
      },
      abandon: () => void seen.abandoned++,
    }
    const stop = new AbortController()
    const options = {
      report: (told: Error) => void seen.reports.push(told as JobportError),
      onStuck: () => void seen.stuck++,
      signal: stop.signal,
    }
    return { seen, stop, lease, run: (outcome: Outcome) => settle(delivery, outcome, options) }
  }

  it('completes without the result, and says so', async () => {
    const { seen, run } = setUp((outcome) => outcome.type === 'complete' && outcome.result === null)
    expect(await run({ type: 'complete', result: 'long' })).to.equal(true)
    expect(seen.tried).to.deep.equal([
      { type: 'complete', result: 'long' },
      { type: 'complete', result: null },
    ])
    expect(seen.reports).to.have.length(1)
    expect(seen.reports[0]).to.include({ code: 'REJECTED', id: 'i' })
    expect(seen.reports[0]!.message).to.include('too large; trying without the result')
    expect(seen).to.include({ stuck: 0, abandoned: 0 })
  })

  it('stores a bare error, then none', async () => {
    const small = setUp((outcome) => outcome.type === 'dead' && JSON.stringify(outcome.error).length < 600)
    expect(await small.run({ type: 'dead', error, reason: 'attempts' })).to.equal(true)
    expect(small.seen.tried.at(-1)).to.deep.include({ type: 'dead', reason: 'attempts' })
    expect(small.seen.tried).to.have.length(2)
    const none = setUp((outcome) => outcome.type === 'again' && outcome.error === undefined)
    expect(await none.run({ type: 'again', delay: 5, attempt: 2, error })).to.equal(true)
    expect(none.seen.tried.at(-1)).to.deep.equal({ type: 'again', delay: 5, attempt: 2 })
    expect(none.seen.reports).to.have.length(2)
  })

  it('keeps the whole outcome for a broker that is away', async () => {
    let calls = 0
    const { seen, run } = setUp(() => ++calls === 2, new JobportError('UNAVAILABLE', 'away'))
    expect(await run({ type: 'complete', result: 'long' })).to.equal(true)
    expect(seen.tried.at(-1)).to.deep.equal({ type: 'complete', result: 'long' })
    expect(seen).to.include({ stuck: 1, abandoned: 0 })
  })

  it('offers less in the end to a broker that only says it is away', async () => {
    const { seen, run } = setUp(
      (outcome) => outcome.type === 'complete' && outcome.result === null,
      new JobportError('UNAVAILABLE', 'frame'),
    )
    expect(await run({ type: 'complete', result: 'long' })).to.equal(true)
    expect(seen.tried).to.have.length(4)
  })

  it('offers the bare outcome once before it gives up, also when there is no time', async () => {
    const { seen, stop, run } = setUp(() => false)
    stop.abort()
    expect(await run({ type: 'dead', error, reason: 'attempts' })).to.equal(false)
    expect(seen.tried.at(-1)).to.deep.equal({ type: 'dead', reason: 'attempts', error: { name: 'Error', message: '' } })
    expect(seen.abandoned).to.equal(1)
  })

  it('tries the bare outcome for a minute, then abandons the delivery', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    const start = performance.now()
    let now = start
    mock.method(performance, 'now', () => now)
    try {
      const { seen, run } = setUp(() => false)
      let settled: boolean | undefined
      void run({ type: 'complete', result: 1 }).then((value) => (settled = value))
      for (let ms = 0; ms < 70_000; ms += 250) {
        await turn()
        if (ms < 55_000) expect(seen.abandoned).to.equal(0)
        now += 250
        mock.timers.tick(250)
      }
      await turn()
      expect(settled).to.equal(false)
      expect(seen).to.include({ stuck: 1, abandoned: 1 })
      expect(seen.reports.at(-1)!.message).to.include('given up')
    } finally {
      mock.timers.reset()
      mock.restoreAll()
    }
  })

  it('counts as stuck after a minute without an answer, and is settled once all the same', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      const answer = Promise.withResolvers<void>()
      const { seen, run } = setUp(() => answer.promise)
      const end = run({ type: 'complete', result: 1 })
      mock.timers.tick(59_999)
      expect(seen.stuck).to.equal(0)
      mock.timers.tick(1)
      expect(seen.stuck).to.equal(1)
      expect(seen.reports).to.have.length(1)
      expect(seen.reports[0]).to.include({ code: 'TIMEOUT', id: 'i' })
      mock.timers.tick(600_000)
      answer.resolve()
      expect(await end).to.equal(true)
      expect(seen.tried).to.have.length(1)
      expect(seen.reports).to.have.length(1)
      expect(seen).to.include({ stuck: 1, abandoned: 0 })
    } finally {
      mock.timers.reset()
    }
  })

  it('is offered less if the broker refuses it after that minute', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      const answer = Promise.withResolvers<void>()
      const { seen, run } = setUp((outcome) => (outcome.type === 'complete' && outcome.result === 1 ? answer.promise : true))
      const end = run({ type: 'complete', result: 1 })
      mock.timers.tick(60_000)
      answer.reject(rejected)
      expect(await end).to.equal(true)
      expect(seen.tried.at(-1)).to.deep.equal({ type: 'complete', result: null })
      mock.timers.tick(60_000)
      expect(seen).to.include({ stuck: 1, abandoned: 0 })
    } finally {
      mock.timers.reset()
    }
  })

  it('abandons it at once when the worker has no more time', async () => {
    const { seen, stop, run } = setUp(() => false)
    const end = run({ type: 'release' })
    await turn()
    expect(seen.stuck).to.equal(1)
    stop.abort()
    expect(await end).to.equal(false)
    expect(seen.abandoned).to.equal(1)
  })

  it('ends when the lease is lost meanwhile, whatever the broker says', async () => {
    const { seen, lease, run } = setUp(() => false)
    const end = run({ type: 'complete', result: null }).catch((thrown: unknown) => thrown)
    await turn()
    lease.lose()
    expect(await end).to.have.property('code', 'LEASE_LOST')
    expect(seen).to.include({ stuck: 1, abandoned: 0 })
  })

  it('leaves a delivery alone that is no longer ours', async () => {
    const { seen, run } = setUp(() => false, new JobportError('LEASE_LOST', 'gone'))
    const outcome = await run({ type: 'complete', result: 1 }).catch((thrown: unknown) => thrown)
    expect(outcome).to.have.property('code', 'LEASE_LOST')
    expect(seen.tried).to.have.length(1)
    expect(seen).to.include({ stuck: 0, abandoned: 0 })
  })
})
