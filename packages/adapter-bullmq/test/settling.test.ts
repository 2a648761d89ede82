import { expect } from 'chai'
import { Redis } from 'ioredis'
import { Client } from 'pg'
import { openBroker } from '@jobport/brokers'
import type { JobportError } from '@jobport/core'
import type { JobError, Json, Outcome } from '@jobport/core/driver'
import { Bare, messageOf, QUICK, STORES } from './both.ts'
import { eventually } from './trial.ts'

const TEN_YEARS = 10 * 365 * 86_400_000
const MIB = 1_048_576
/** What a lease that is renewed no more is found by, ms. */
const FOUND = QUICK.lockDuration + 2 * QUICK.stalledInterval + 3_000

const refusalOf = (settling: Promise<void>): Promise<JobportError | undefined> =>
  settling.then(
    () => undefined,
    (error: JobportError) => error,
  )

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
      expect(performance.now() - since).to.be.below(2_000)
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
        expect(letter?.dead?.error).to.include({ name: error.name, message: error.message })
        if (error.stack) expect(letter?.dead?.error.stack).to.equal(error.stack)
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
      expect(jobs.map(({ attempt }) => attempt).toSorted()).to.deep.equal([1, 1, 2])
      for (const job of jobs) {
        expect(job.dueAt).to.be.within(before + TEN_YEARS, Date.now() + TEN_YEARS + 1)
        expect(await admin.get(job.message.id, 'live')).to.deep.equal(job)
        expect(await admin.remove(job.message.id, 'live')).to.equal(true)
      }
    })

    it('is refused to whoever lost the lease while another worker runs the job, and says so before', async () => {
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
      expect(performance.now() - since).to.be.below(QUICK.lockDuration)
      expect(await refusalOf(first.settle({ type: 'release' }))).to.include({ code: 'LEASE_LOST' })
      const again = await bare.delivery(1)
      await again.settle({ type: 'complete', result: null })
    })

    /** Takes the job from its worker, as whoever finds it stalled does. */
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

describe('BullMQ, settlements that a store refuses', function () {
  this.timeout(60_000)
  const full: Outcome = { type: 'complete', result: 'no' }
  const bare: Outcome = { type: 'complete', result: null }

  it('PostgreSQL, for good: REJECTED at once, and the job can be settled with less', async () => {
    const { url } = STORES[1]!
    const schema = `refusing_${Math.random().toString(36).slice(2)}`
    const refusing = await new Bare(url, { postgres: { schema } }).connect()
    const client = new Client(url)
    await client.connect()
    try {
      await client.query(
        `ALTER TABLE ${schema}.job ADD CHECK (return_value IS NULL OR return_value <> '"no"'), ADD CHECK (failed_reason <> 'no')`,
      )
      await refusing.add(messageOf({ attempts: 2 }))
      await refusing.consume(1)
      const first = await refusing.delivery(0)
      const no = { name: 'E', message: 'no' }
      const since = performance.now()
      for (const outcome of [
        full,
        { type: 'again', delay: 0, attempt: 2, error: no },
        { type: 'dead', error: no, reason: 'attempts' },
      ] as const)
        expect(await refusalOf(first.settle(outcome)), outcome.type).to.include({ code: 'REJECTED' })
      expect(performance.now() - since).to.be.below(1_000)
      await eventually('a lease renewed meanwhile', () => performance.now() - since > 2 * QUICK.lockDuration)
      expect(first.lease.isLost).to.equal(false)
      await first.settle({ type: 'again', delay: 0, attempt: 2, error: { name: 'E', message: 'yes' } })
      const second = await refusing.delivery(1)
      expect(second).to.include({ attempt: 2, crashes: 0 })
      await refusalOf(second.settle(full))
      await second.settle(bare)
      expect(await refusing.driver.admin(refusing.name).counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    } finally {
      await refusing.close({ drop: false })
      await client.query(`DROP SCHEMA ${schema} CASCADE`)
      await client.end()
    }
  })

  it('Redis, which may not run scripts: ACCESS_DENIED at once, and the job can be settled when it may', async () => {
    const redis = await openBroker('redis', { own: true })
    const denied = await new Bare(redis.url, { lockDuration: 10_000 }).connect()
    const client = new Redis(redis.url)
    try {
      await denied.add(messageOf({}))
      await denied.consume(1)
      const delivery = await denied.delivery(0)
      await client.acl('SETUSER', 'default', '-eval', '-evalsha')
      const since = performance.now()
      for (const outcome of [full, bare, { type: 'release' }] as const)
        expect(await refusalOf(delivery.settle(outcome)), outcome.type).to.include({ code: 'ACCESS_DENIED' })
      expect(performance.now() - since).to.be.below(1_000)
      await client.acl('SETUSER', 'default', '+@all')
      await delivery.settle(bare)
      expect(await denied.driver.admin(denied.name).counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    } finally {
      client.disconnect()
      await denied.close()
      await redis.close()
    }
  })

  it('Redis with no room left takes every settlement: it moves what is there', async () => {
    const redis = await openBroker('redis', { own: true })
    const filled = await new Bare(redis.url, { lockDuration: 10_000 }).connect()
    const client = new Redis(redis.url)
    const error = { name: 'E', message: 'x'.repeat(4_000), stack: 'y'.repeat(16_000) }
    try {
      await filled.add(...Array.from({ length: 4 }, () => messageOf({ attempts: 2 })))
      await filled.consume(4)
      await filled.delivery(3)
      await client.config('SET', 'maxmemory', '1')
      await filled.deliveries[0]!.settle({ type: 'complete', result: 'x'.repeat(100_000) })
      await filled.deliveries[1]!.settle({ type: 'dead', error, reason: 'unrecoverable' })
      await filled.deliveries[2]!.settle({ type: 'again', delay: 60_000, attempt: 2, error })
      await filled.consumer!.stop()
      await filled.deliveries[3]!.settle({ type: 'release' })
      expect(await filled.driver.admin(filled.name).counts()).to.deep.equal({ waiting: 1, delayed: 1, active: 0, dead: 1 })
      const { jobs } = await filled.driver.admin(filled.name).list('dead', { limit: 1 })
      expect(jobs[0]?.dead?.reason, 'the note found no room').to.equal('attempts')
      expect(filled.errors.map(({ message }) => message).join()).to.match(/OOM/)
    } finally {
      await client.config('SET', 'maxmemory', '0')
      client.disconnect()
      await filled.close()
      await redis.close()
    }
  })

  it('Redis, which would hang up on a payload, sets its limit', async () => {
    const redis = await openBroker('redis', { own: true, settings: { 'proto-max-bulk-len': '1048576' } })
    const limited = await new Bare(redis.url, { lockDuration: 10_000 }).connect()
    try {
      const { maxPayload } = limited.server!
      expect(maxPayload).to.equal(1_048_576 - 65_536)
      await limited.add(messageOf({ data: 'x'.repeat(maxPayload - 2) }))
      await limited.consume(1)
      const delivery = await limited.delivery(0)
      await delivery.settle({ type: 'complete', result: 'x'.repeat(maxPayload - 2) })
      expect(limited.edges).to.deep.equal([])
    } finally {
      await limited.close()
      await redis.close()
    }
  })

  for (const name of ['redis', 'postgres'] as const)
    it(`${name}, while it is away: tried until it is back, and CLOSED by a close`, async () => {
      const broker = await openBroker(name, { own: true })
      const away = await new Bare(broker.url, { lockDuration: 60_000 }).connect()
      try {
        await away.add(messageOf({}), messageOf({}))
        await away.consume(2)
        const [first, second] = [await away.delivery(0), await away.delivery(1)]
        await broker.stop()
        let isSettled = false
        const settling = first.settle(full).then(() => (isSettled = true))
        await eventually('the outage', () => away.edges.includes('down'))
        const since = performance.now()
        await eventually('some tries', () => performance.now() - since > 1_500)
        expect(isSettled).to.equal(false)
        await broker.start()
        await settling
        await broker.pause()
        const pending = refusalOf(second.settle(full))
        await away.driver.close()
        expect(await pending).to.include({ code: 'CLOSED' })
      } finally {
        await broker.resume().catch(() => {})
        await away.close({ drop: false })
        await broker.close()
      }
    })
})
