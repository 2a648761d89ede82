import { expect } from 'chai'
import { patiently } from '@jobport/conformance'
import type { Delivery, JobError, JobportError } from '@jobport/core/driver'
import { Hand } from './hand.ts'
import { ACK_WAIT, eventually, Trial } from './trial.ts'

const ERROR: JobError = { name: 'Error', message: 'no' }
const TOO_MUCH = 'x'.repeat(1_100_000)

describe('NATS, settlements', function () {
  this.timeout(30_000)
  let trial: Trial
  let hand: Hand

  beforeEach(async () => {
    trial = new Trial()
    hand = await Hand.open(trial.url, trial.name)
  })

  afterEach(async () => {
    await hand.close()
    await trial.close()
  })

  const counts = () => hand.driver.admin(trial.name).counts()

  const refusal = (work: Promise<void>): Promise<JobportError> =>
    work.then(
      () => Promise.reject(new Error('was not refused')),
      (error: JobportError) => error,
    )

  it('abandoned: the slot is free at once, and the job comes back as one crash more, once the lease has run out', async () => {
    await hand.publish({ id: 'first' })
    await hand.consume(1)
    const first = await hand.take()
    await hand.publish({ id: 'second' })
    const abandonedAt = performance.now()
    first.abandon()
    const second = await hand.take()
    expect(second.message.id).to.equal('second')
    expect(performance.now() - abandonedAt).to.be.below(patiently(ACK_WAIT / 2))
    expect(first.lease.isLost).to.equal(true)
    expect((await refusal(first.settle({ type: 'complete', result: null }))).code).to.equal('LEASE_LOST')
    await second.settle({ type: 'complete', result: null })
    const again = await hand.take()
    // the server began to count when it handed the job out
    expect(performance.now() - abandonedAt).to.be.within(ACK_WAIT / 2, patiently(ACK_WAIT + 1_000))
    expect(again).to.deep.include({ attempt: 1, crashes: 1, stalled: true })
    await again.settle({ type: 'complete', result: null })
    expect(await counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
  })

  it('abandoned: a stop and a close do not hand the job back, nor wait for it', async () => {
    await hand.publish()
    const consumer = await hand.consume(1)
    ;(await hand.take()).abandon()
    const before = performance.now()
    await consumer.stop()
    await hand.close()
    expect(performance.now() - before).to.be.below(patiently(1_500))
    hand = await Hand.open(trial.url, trial.name)
    await hand.consume(1)
    expect(await hand.take()).to.deep.include({ crashes: 1, stalled: true })
  })

  it('refused for their size: REJECTED at once, nothing is stored, the lease goes on, and a lesser one is taken', async () => {
    await hand.publish({ id: 'big' })
    await hand.consume(1)
    const delivery = await hand.take()
    const before = performance.now()
    const error = await refusal(delivery.settle({ type: 'complete', result: TOO_MUCH }))
    expect(error).to.include({ code: 'REJECTED' })
    expect(error.message).to.include('max_payload')
    expect(performance.now() - before).to.be.below(patiently(500))
    const monster = { ...ERROR, message: TOO_MUCH }
    expect(await refusal(delivery.settle({ type: 'dead', reason: 'attempts', error: monster }))).to.include({ code: 'REJECTED' })
    // the server's own limit for headers
    const large = { ...ERROR, message: 'x'.repeat(70_000) }
    expect(await refusal(delivery.settle({ type: 'dead', reason: 'attempts', error: large }))).to.include({ code: 'REJECTED' })
    expect(await counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 1, dead: 0 })
    await held(delivery, ACK_WAIT * 1.5)
    await delivery.settle({ type: 'complete', result: null })
    expect(await counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    expect(hand.delivered).to.have.length(0)
  })

  it('refused: a wait that is no date', async () => {
    await hand.publish()
    await hand.consume(1)
    const delivery = await hand.take()
    for (const delay of [1e300, Number.MAX_SAFE_INTEGER, 1e16])
      expect(await refusal(delivery.settle({ type: 'again', delay, attempt: 2 })), String(delay)).to.include({ code: 'REJECTED' })
    expect(await hand.publish({ delay: 1e16 })).to.deep.include({ status: 'rejected' })
    const { max } = hand.driver.features.delay as { max: number }
    await delivery.settle({ type: 'again', delay: max, attempt: 2 })
    const { jobs } = await hand.driver.admin(trial.name).list('delayed', { limit: 10 })
    expect(jobs[0]!.dueAt).to.be.within(Date.now() + max - 10_000, Date.now() + max)
    expect(await hand.driver.admin(trial.name).get(delivery.message.id, 'live')).to.deep.include({
      state: 'delayed',
      dueAt: jobs[0]!.dueAt,
    })
  })

  it('of a job that somebody removed on the server: the lease is lost while the handler runs', async () => {
    await hand.publish({ id: 'gone' })
    await hand.consume(1)
    const delivery = await hand.take()
    const { manager } = await trial.plain()
    const found = await manager.streams.getMessage(trial.stream, { last_by_subj: `jobport.${trial.name}.w.0.gone.*` })
    await manager.streams.deleteMessage(trial.stream, found!.seq)
    await eventually('the loss of the lease', () => delivery.lease.isLost)
    expect(await refusal(delivery.settle({ type: 'complete', result: null }))).to.include({ code: 'LEASE_LOST' })
    await hand.publish({ id: 'next' })
    expect((await hand.take()).message.id).to.equal('next')
  })

  it('of a job whose queue was dropped: the lease is lost while the handler runs', async () => {
    await hand.publish()
    await hand.consume(1)
    const delivery = await hand.take()
    await hand.driver.admin(trial.name).drop()
    await eventually('the loss of the lease', () => delivery.lease.isLost)
  })

  it('of a process that was blocked for longer than its lease: lost, also while another worker runs the job', async () => {
    await hand.publish()
    await hand.consume(1)
    const late = await hand.take()
    block(ACK_WAIT + 500)
    const settled = refusal(late.settle({ type: 'complete', result: 'late' }))
    expect(await settled).to.include({ code: 'LEASE_LOST' })
    expect(late.lease.isLost).to.equal(true)
    const other = await Hand.open(trial.url, trial.name)
    try {
      await other.consume(1)
      const again = await eventually('the next run', () => hand.delivered.shift() ?? other.delivered.shift())
      expect(again).to.deep.include({ crashes: 1, stalled: true })
      expect(await refusal(late.settle({ type: 'complete', result: 'late' }))).to.include({ code: 'LEASE_LOST' })
      await again.settle({ type: 'complete', result: null })
    } finally {
      await other.close()
    }
  })

  it('pending at the close of a driver: rejected with CLOSED or written, and nothing is settled after', async () => {
    await hand.publish()
    await hand.consume(1)
    const delivery = await hand.take()
    const settled = delivery.settle({ type: 'complete', result: null }).then(
      () => 'written',
      ({ code }: JobportError) => code,
    )
    await hand.close()
    expect(['written', 'CLOSED']).to.include(await settled)
    expect(await refusal(delivery.settle({ type: 'complete', result: null }))).to.include({ code: 'LEASE_LOST' })
    for (const call of [
      () => hand.driver.connect({ down: () => {}, up: () => {}, error: () => {} }),
      () => hand.consume(1),
      () => hand.driver.admin(trial.name).counts(),
    ])
      expect(
        await call().then(
          () => undefined,
          (error: JobportError) => error.code,
        ),
      ).to.equal('CLOSED')
    expect(await hand.publish()).to.deep.include({ status: 'rejected' })
  })

  it('to release: the job goes behind its equals', async () => {
    for (const id of ['one', 'two']) await hand.publish({ id })
    await hand.consume(1)
    const first = await hand.take()
    expect(first.message.id).to.equal('one')
    await first.settle({ type: 'release' })
    const second = await hand.take()
    expect(second.message.id).to.equal('two')
    await second.settle({ type: 'complete', result: null })
    expect(await hand.take()).to.deep.include({ attempt: 1, crashes: 0, stalled: false })
  })

  it('to redrive: the new life has neither delay nor dedup, and starts as attempt 1', async () => {
    await hand.publish({ id: 'x', delay: 1, dedup: { ttl: 60_000 }, attempts: 2 })
    await hand.consume(1)
    const first = await hand.take()
    await first.settle({ type: 'dead', reason: 'unrecoverable', error: ERROR })
    expect(await hand.driver.admin(trial.name).redrive(first.message.uid, { uid: 'second-life' })).to.equal('redriven')
    const again = await hand.take()
    expect(again).to.deep.include({ attempt: 1, crashes: 0 })
    expect(again.message).to.deep.include({ id: 'x', uid: 'second-life', attempts: 2 })
    expect(again.message).not.to.have.any.keys('delay', 'dedup')
    await again.settle({ type: 'complete', result: null })
    expect(await hand.publish({ id: 'x' })).to.deep.equal({ status: 'added' })
  })
})

/** Resolves after `ms`; fails if the lease is lost before. */
async function held(delivery: Delivery, ms: number): Promise<void> {
  const end = performance.now() + ms
  await eventually('the end of a wait', () => delivery.lease.isLost || performance.now() > end)
  expect(delivery.lease.isLost).to.equal(false)
}

function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}
