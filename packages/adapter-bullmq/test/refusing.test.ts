import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import { Redis } from 'ioredis'
import { Client } from 'pg'
import { patiently } from '@jobport/conformance'
import { openBroker } from '@jobport/brokers'
import type { Outcome } from '@jobport/core/driver'
import { Bare, messageOf, QUICK, refusalOf, STORES } from './both.ts'
import { eventually } from './trial.ts'

describe('BullMQ, settlements that a store refuses', function () {
  this.timeout(60_000)
  const full: Outcome = { type: 'complete', result: 'no' }
  const bare: Outcome = { type: 'complete', result: null }

  it('PostgreSQL, for good: REJECTED at once, and the job can be settled with less', async () => {
    const { url } = STORES[1]!
    const schema = `refusing_${randomBytes(4).toString('hex')}`
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
      expect(performance.now() - since).to.be.below(patiently(1_000))
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
      expect(performance.now() - since).to.be.below(patiently(1_000))
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
