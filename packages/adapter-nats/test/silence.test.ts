import { patiently } from '@jobport/conformance'
import { openBroker, type RunningBroker } from '@jobport/brokers'
import type { JobportError } from '@jobport/core/driver'
import { expect } from 'chai'
import { Hand } from './hand.ts'
import { Trial } from './trial.ts'

const DEAF = { down: () => {}, up: () => {}, error: () => {} }
const ACK_WAIT = 3_000

/** What is called, and within how many ms it must have been refused, with which code. */
interface Answer {
  readonly code: string
  readonly took: number
}

describe('NATS, a driver beside a server that says nothing', function () {
  this.timeout(60_000)
  let nats: RunningBroker
  let trial: Trial
  let hand: Hand

  before(async () => {
    nats = await openBroker('nats', { own: true })
  })

  after(() => nats.close())

  beforeEach(async () => {
    trial = new Trial(nats.url)
    hand = await Hand.open(nats.url, trial.name, { ackWait: ACK_WAIT })
    await hand.publish()
  })

  afterEach(async () => {
    await hand.close()
    await trial.close()
  })

  async function answer(call: () => Promise<unknown>): Promise<Answer> {
    const before = performance.now()
    const code = await call().then(
      () => 'none',
      (error: JobportError) => error.code,
    )
    return { code, took: performance.now() - before }
  }

  async function published(ms: number): Promise<Answer> {
    const before = performance.now()
    const message = { version: 1, id: 'x', uid: 'x', name: 'a', data: 1, headers: {}, addedAt: 1, attempts: 1 }
    const [result] = await hand.driver.publish(trial.name, [message], { signal: AbortSignal.timeout(ms) })
    return { code: result!.status, took: performance.now() - before }
  }

  it('a frozen one: a ping is refused within 2 s, consume within 5 s, a look within 9 s, an add by its deadline, a settlement by its lease', async () => {
    await hand.consume(1)
    const delivery = await hand.take()
    await nats.pause()
    try {
      const admin = hand.driver.admin(trial.name)
      const [ping, consume, look, remove, add, settle] = await Promise.all([
        answer(() => hand.driver.connect(DEAF)),
        answer(() => hand.driver.consume('other', () => {}, { prefetch: 1 })),
        answer(() => admin.get('x', 'live')),
        answer(() => admin.remove('x', 'live')),
        published(1_000),
        answer(() => delivery.settle({ type: 'complete', result: null })),
      ])
      expect(ping.code).to.equal('UNAVAILABLE')
      expect(ping.took).to.be.below(patiently(2_500))
      expect(consume.code).to.equal('UNAVAILABLE')
      expect(consume.took).to.be.below(patiently(5_000))
      expect(look.code).to.equal('UNAVAILABLE')
      expect(look.took).to.be.below(patiently(9_500))
      expect(remove.code).to.equal('UNAVAILABLE')
      expect(remove.took).to.be.below(patiently(3_000))
      expect(add.code).to.equal('unknown')
      expect(add.took).to.be.below(patiently(1_500))
      expect(settle.code).to.equal('LEASE_LOST')
      expect(settle.took).to.be.below(patiently(ACK_WAIT + 3_000))
      const before = performance.now()
      await hand.close()
      expect(performance.now() - before).to.be.below(patiently(5_000))
    } finally {
      await nats.resume()
    }
  })

  it('one that is gone: an add is refused at once and was not sent, consume and a look are refused, and all is well when it is back', async () => {
    await hand.consume(1)
    const delivery = await hand.take()
    await nats.stop()
    try {
      await gone()
      const add = await published(5_000)
      expect(add.code).to.equal('rejected')
      expect(add.took).to.be.below(patiently(500))
      const [consume, look] = await Promise.all([
        answer(() => hand.driver.consume(trial.name, () => {}, { prefetch: 1 })),
        answer(() => hand.driver.admin(trial.name).counts()),
      ])
      expect(consume.code).to.equal('UNAVAILABLE')
      expect(consume.took).to.be.below(patiently(5_000))
      expect(look.code).to.equal('UNAVAILABLE')
    } finally {
      await nats.start()
    }
    await delivery
      .settle({ type: 'complete', result: null })
      .catch((error: JobportError) => expect(error.code).to.equal('LEASE_LOST'))
    await hand.driver.admin(trial.name).counts()
  })

  /** Until the client knows. */
  async function gone(): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      const { code } = await published(200)
      if (code === 'rejected') return
    }
  }
})
