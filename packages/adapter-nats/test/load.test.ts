import { patiently } from '@jobport/conformance'
import { expect } from 'chai'
import type { QueueAdmin } from '@jobport/core/driver'
import { Hand } from './hand.ts'
import { eventually, Trial } from './trial.ts'

const AT_ONCE = 300
/** Core's own deadline for a call, ms. */
const DEADLINE = 10_000
/** Longer than a request waits for its answer, ms. */
const BLOCKED = 2_500

describe('NATS, load', function () {
  this.timeout(60_000)
  let trial: Trial
  let hand: Hand
  let admin: QueueAdmin

  beforeEach(async () => {
    trial = new Trial()
    hand = await Hand.open(trial.url, trial.name)
    admin = hand.driver.admin(trial.name)
  })

  afterEach(async () => {
    await hand.close()
    await trial.close()
  })

  const CALLS: [string, () => Promise<unknown>, unknown][] = [
    ['get', () => admin.get('live', 'live').then((job) => job?.state), 'waiting'],
    ['get of a delayed job', () => admin.get('later', 'live').then((job) => job?.state), 'delayed'],
    ['list', () => admin.list('waiting', { limit: 10 }).then(({ jobs }) => jobs.length), 1],
    ['counts', () => admin.counts(), { waiting: 1, delayed: 1, active: 0, dead: 0 }],
    ['status', () => admin.status(), { paused: false, workers: 0 }],
    ['remove', () => admin.remove('nobody', 'live'), false],
    ['redrive', () => admin.redrive('nobody', { uid: 'x' }), 'missing'],
  ]

  it(`answers ${AT_ONCE} calls of each kind at once within core's deadline, and rejects none`, async () => {
    await hand.publish({ id: 'live' })
    await hand.publish({ id: 'later', delay: 3_600_000 })
    for (const [what, call, answer] of CALLS) {
      const before = performance.now()
      for (const each of await Promise.all(Array.from({ length: AT_ONCE }, call))) expect(each, what).to.deep.equal(answer)
      expect(performance.now() - before, what).to.be.below(patiently(DEADLINE))
    }
  })

  it('answers what was asked before this process was busy for seconds', async () => {
    await hand.publish({ id: 'live' })
    const asked = Promise.all(Array.from({ length: AT_ONCE }, () => admin.get('live', 'live')))
    await new Promise(setImmediate)
    const end = performance.now() + BLOCKED
    while (performance.now() < end);
    for (const job of await asked) expect(job).to.include({ state: 'waiting' })
    expect(await hand.publish({ id: 'more' })).to.deep.equal({ status: 'added' })
  })

  it('lists and purges jobs of the largest size, page by page, without losing its connection', async () => {
    const edges: string[] = []
    const { maxPayload } = await hand.driver.connect({ down: () => edges.push('down'), up: () => {}, error: () => {} })
    const data = 'x'.repeat(maxPayload - 2)
    const [live, later] = [12, 6]
    for (let i = 0; i < live + later; i++) await hand.publish({ data, ...(i >= live && { delay: 3_600_000 }) })
    const found: unknown[] = []
    for (let cursor: string | undefined, more = true; more; ) {
      const page = await admin.list('waiting', { limit: 1_000, ...(cursor !== undefined && { cursor }) })
      found.push(...page.jobs)
      cursor = page.cursor
      more = cursor !== undefined
    }
    expect(found).to.have.length(live)
    expect(await admin.counts()).to.include({ waiting: live, delayed: later })
    expect(await admin.purge('live')).to.equal(live + later)
    expect(edges).to.deep.equal([])
  })

  it('purges 1,000 jobs without a word, and lists them before', async () => {
    const messages = Array.from({ length: 1_000 }, () => hand.publish())
    expect((await Promise.all(messages)).every(({ status }) => status === 'added')).to.equal(true)
    expect((await admin.list('waiting', { limit: 1_000 })).jobs).to.have.length(1_000)
    expect(await admin.purge('live')).to.equal(1_000)
    await eventually('an empty queue', async () => (await admin.counts()).waiting === 0)
    expect(hand.errors).to.deep.equal([])
  })
})
