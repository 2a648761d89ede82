import { patiently } from '@jobport/conformance'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { Client } from 'pg'
import type { JobError, Json } from '@jobport/core/driver'
import { Bare, messageOf, QUICK, refusalOf, STORES } from './both.ts'

const TEN_YEARS = 10 * 365 * 86_400_000
const MIB = 1_048_576
/** What a lease that is renewed no more is found by, ms. */
const FOUND = QUICK.lockDuration + 2 * QUICK.stalledInterval + 3_000

for (const { store, url } of STORES)
  describe(`BullMQ on ${store}, settling`, function () {
    this.timeout(30_000)
    let bare: Bare

    beforeEach(async () => {
      bare = await new Bare(url).connect()
    })

    afterEach(() => bare.close())

    it('abandons: the slot is free at once, and the job comes back as one crash more', async () => {
      await bare.add(messageOf({ name: 'first' }), messageOf({ name: 'second' }))
      await bare.consume(1)
      const first = await bare.delivery(0)
      expect(first.message.name).to.equal('first')
      const since = performance.now()
      first.abandon()
      const second = await bare.delivery(1, 1_000)
      expect(second.message.name).to.equal('second')
      await second.settle({ type: 'complete', result: null })
      expect(await refusalOf(first.settle({ type: 'complete', result: null }))).to.include({ code: 'LEASE_LOST' })
      const again = await bare.delivery(2, FOUND)
      expect(performance.now() - since, 'no sooner than its lease').to.be.at.least(QUICK.lockDuration / 2)
      expect(again).to.deep.include({ attempt: 1, crashes: 1, stalled: true })
      expect(again.message.uid).to.equal(first.message.uid)
      await again.settle({ type: 'complete', result: null })
      expect(await bare.driver.admin(bare.name).counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
      expect(bare.errors).to.deep.equal([])
    })

    it('abandons more than once, and closes all the same', async () => {
      await bare.add(messageOf({}))
      await bare.consume(1)
      const first = await bare.delivery(0)
      first.abandon()
      first.abandon()
      const again = await bare.delivery(1, FOUND)
      again.abandon()
      const since = performance.now()
      await bare.close({ drop: false })
      expect(performance.now() - since).to.be.below(patiently(2_000))
      bare = await new Bare(url, {}, bare.name).connect()
      expect(await bare.driver.admin(bare.name).counts()).to.include({ active: 1 })
    })

    const controls = Array.from({ length: 31 }, (_, i) => String.fromCharCode(i + 1)).join('')
    const errors: [string, JobError][] = [
      ['control characters', { name: `E${controls}`, message: controls, stack: controls }],
      ['a name of 256 bytes', { name: '\u{1f600}"\\'.repeat(32), message: '' }],
      ['an empty name', { name: '', message: '', stack: '' }],
      [
        'a stack of 16 KiB in characters of four bytes',
        { name: 'E', message: '\u{10ffff}'.repeat(1_000), stack: '\u{1f600}'.repeat(4_095) },
      ],
      [
        'quotes, backslashes and the words of JSON',
        { name: '"}\\u0000', message: '\\u0000 \\ud800 " \' null', stack: '$1 %s {}' },
      ],
      ['line separators', { name: 'A\u2028\u2029\u0085\ufeff', message: '\u2028\ufffe\uffff', stack: '\r\n\t' }],
      ['no stack', { name: 'Error', message: 'm' }],
      ['an empty stack', { name: 'Error', message: 'm', stack: '' }],
      ["BullMQ's own names", { name: 'UnrecoverableError', message: 'bullmq:movedToDelayed', stack: 'WaitingChildrenError' }],
    ]
    for (const [what, error] of errors)
      it(`stores an error with ${what}, of a retry and of a death`, async () => {
        await bare.add(messageOf({ attempts: 2 }))
        await bare.consume(1)
        await (await bare.delivery(0)).settle({ type: 'again', delay: 0, attempt: 2, error })
        const second = await bare.delivery(1)
        expect(second).to.include({ attempt: 2, crashes: 0 })
        await second.settle({ type: 'dead', error, reason: 'attempts' })
        const letter = await bare.driver.admin(bare.name).get(second.message.id, 'dead')
        expect(letter?.dead).to.include({ reason: 'attempts' })
        expect(letter?.dead?.error).to.deep.equal(error)
      })

    it('stores what core would have cut out as well: NUL, and halves of surrogate pairs', async () => {
      const error = { name: 'a\0b\ud800', message: '\0\udc00', stack: '\ud800\0' }
      await bare.add(messageOf({}))
      await bare.consume(1)
      const delivery = await bare.delivery(0)
      await delivery.settle({ type: 'dead', error, reason: 'attempts' })
      const letter = await bare.driver.admin(bare.name).get(delivery.message.id, 'dead')
      expect(letter?.dead?.error).to.include({ name: 'ab\ufffd', message: '\ufffd' })
    })

    const nested = (depth: number): Json => JSON.parse(`${'[{"a":'.repeat(depth)}1${'}]'.repeat(depth)}`) as Json
    const results: [string, () => Json][] = [
      ['of 16 MiB', () => 'x'.repeat(16 * MIB - 2)],
      ['of 1 MiB in characters of four bytes', () => '\u{1f600}'.repeat(MIB / 4)],
      ['nested 1,000 deep', () => nested(500)],
      ['with the names of prototypes', () => JSON.parse('{"__proto__":{"a":1},"constructor":1,"":{"toString":null}}') as Json],
      ['of control characters', () => ({ [controls]: controls })],
      ['that is a large number', () => [1e308, -1e-308, 9_007_199_254_740_991, -0]],
    ]
    for (const [what, result] of results)
      it(`completes with a result ${what}`, async () => {
        const patient = await new Bare(url, { lockDuration: 20_000 }).connect()
        try {
          await patient.add(messageOf({}))
          await patient.consume(1)
          await (await patient.delivery(0)).settle({ type: 'complete', result: result() })
          expect(await patient.driver.admin(patient.name).counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
        } finally {
          await patient.close()
        }
      })

    it('takes waits up to ten years, as a delay, a retry and a hand-back, and shows when they end', async () => {
      const before = Date.now()
      await bare.add(messageOf({ delay: TEN_YEARS }), messageOf({ attempts: 2 }), messageOf({}))
      await bare.consume(2)
      await (await bare.delivery(0)).settle({ type: 'again', delay: TEN_YEARS, attempt: 2, error: { name: 'E', message: 'm' } })
      await (await bare.delivery(1)).settle({ type: 'again', delay: TEN_YEARS, attempt: 1 })
      const admin = bare.driver.admin(bare.name)
      const { jobs } = await admin.list('delayed', { limit: 10 })
      expect(jobs.map(({ attempt }) => attempt).toSorted((a, b) => a - b)).to.deep.equal([1, 1, 2])
      for (const job of jobs) {
        expect(job.dueAt).to.be.within(before + TEN_YEARS, Date.now() + TEN_YEARS + 1)
        expect(await admin.get(job.message.id, 'live')).to.deep.equal(job)
        expect(await admin.remove(job.message.id, 'live')).to.equal(true)
      }
    })

    it('is refused to a worker that lost its lease while another one runs the job; its signal fires before', async () => {
      const { uid } = messageOf({})
      await bare.add(messageOf({ uid }))
      await bare.consume(1)
      const first = await bare.delivery(0)
      let isLost = false
      first.lease.onLost(() => (isLost = true))
      await bare.consumer!.stop()
      await lose(bare.name, uid)
      const other = await new Bare(url, {}, bare.name).connect()
      try {
        await other.consume(1)
        const second = await other.delivery(0)
        expect(await refusalOf(first.settle({ type: 'complete', result: 'late' }))).to.include({ code: 'LEASE_LOST' })
        expect(first.lease.isLost).to.equal(true)
        expect(isLost).to.equal(true)
        await second.settle({ type: 'dead', error: { name: 'E', message: 'm' }, reason: 'attempts' })
        expect((await bare.driver.admin(bare.name).get(uid, 'dead'))?.dead).to.include({ reason: 'attempts' })
      } finally {
        await other.close({ drop: false })
      }
    })

    it('is over for a handler as soon as the lease cannot be renewed', async () => {
      const { uid } = messageOf({})
      await bare.add(messageOf({ uid }))
      await bare.consume(1)
      const first = await bare.delivery(0)
      const lost = new Promise<void>((resolve) => first.lease.onLost(resolve))
      const since = performance.now()
      await lose(bare.name, uid)
      await lost
      expect(performance.now() - since).to.be.below(patiently(QUICK.lockDuration))
      expect(await refusalOf(first.settle({ type: 'release' }))).to.include({ code: 'LEASE_LOST' })
      const again = await bare.delivery(1)
      await again.settle({ type: 'complete', result: null })
    })

    /** Takes the job from its worker, as a worker that finds it stalled does. */
    async function lose(queue: string, uid: string): Promise<void> {
      if (store === 'Redis') {
        const client = new Redis(url)
        await client
          .multi()
          .del(`bull:${queue}:${uid}:lock`)
          .lrem(`bull:${queue}:active`, 1, uid)
          .rpush(`bull:${queue}:wait`, uid)
          .zadd(`bull:${queue}:marker`, 0, '0')
          .exec()
        await client.quit()
        return
      }
      const client = new Client(url)
      await client.connect()
      await client.query(
        `UPDATE bullmq.job SET state = 'waiting', lock_token = NULL, locked_until_ms = NULL WHERE queue = $1 AND id = $2`,
        [queue, uid],
      )
      await client.query(`SELECT pg_notify('bullmq_jobs', $1)`, [queue])
      await client.end()
    }
  })
