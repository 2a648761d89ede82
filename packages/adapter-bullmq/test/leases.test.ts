import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { BullMQDriver } from '@jobport/adapter-bullmq'
import { openBroker, type RunningBroker } from '@jobport/brokers'
import { FaultProxy, patiently } from '@jobport/conformance'
import { Broker, type Job, type JobportError } from '@jobport/core'
import type { Delivery } from '@jobport/core/driver'
import { expect } from 'chai'
import { eventually } from './trial.ts'

/** ms: on a busy machine a new connection to PostgreSQL alone takes one or two seconds. */
const LEASE = Math.round(patiently(3_000))
/** Of a handler: several leases, ms. */
const LONG = 3 * LEASE
/** A settlement that hangs is given up after 10 s. */
const SETTLED = 30_000

for (const kind of ['redis', 'postgres'] as const)
  describe(`BullMQ, leases on ${kind}`, function () {
    this.timeout(60_000)
    let server: RunningBroker
    let proxy: FaultProxy
    const open: { close(options: object): Promise<void> }[] = []
    const name = `leases-${randomBytes(4).toString('hex')}`

    const broker = (port: number): Broker => {
      const url = new URL(server.url)
      url.port = String(port)
      const opened = new Broker(new BullMQDriver({ url: url.href, lockDuration: LEASE, stalledInterval: 500 }))
      opened.on('error', () => {})
      open.push(opened)
      return opened
    }

    before(async () => {
      server = await openBroker(kind)
      proxy = await FaultProxy.open({ host: '127.0.0.1', port: Number(new URL(server.url).port) })
    })

    after(async () => {
      for (const each of open) await each.close({ timeout: 0 })
      await proxy.close()
      await server.close()
    })

    it('are kept while every connection that was open hangs, unnoticed', async () => {
      const hands: string[] = []
      const ended: string[] = []
      const take =
        (who: string) =>
        async (_job: Job, signal: AbortSignal): Promise<void> => {
          hands.push(who)
          signal.addEventListener('abort', () => ended.push((signal.reason as JobportError).code))
          if (hands.length > 1) return
          await pause(LEASE)
          proxy.silence()
          await pause(LONG)
        }
      await broker(proxy.port).worker(name, take('far')).ready()
      const near = broker(Number(new URL(server.url).port))
      await near.queue(name).add('a', 1)
      await eventually('a start', () => hands.length > 0)
      await near.worker(name, take('near')).ready()
      await eventually(
        'its end',
        () => ended.length > 0,
        () => hands,
        SETTLED,
      )
      expect({ hands, ended }).to.deep.equal({ hands: ['far'], ended: ['CLOSED'] })
    })

    it('are not taken by a consumer that has stopped, not even of what it gives back', async () => {
      const queue = broker(Number(new URL(server.url).port)).queue(`${name}-back`)
      const driver = new BullMQDriver({ url: server.url, lockDuration: LEASE, stalledInterval: 500 })
      open.push(driver)
      await driver.connect({ down: () => {}, up: () => {}, error: () => {} })
      await queue.add('a', 1)
      for (let round = 0; round < 50; round++) {
        const { promise, resolve } = Promise.withResolvers<Delivery>()
        const consumer = await driver.consume(queue.name, resolve, { prefetch: 2 })
        const delivery = await promise
        // meets it while it asks for a second one, or waits for that
        await pause(round % 10)
        await consumer.stop()
        await delivery.settle({ type: 'release' })
        expect(await queue.counts(), `round ${round}`).to.include({ active: 0, waiting: 1 })
      }
    })
  })
