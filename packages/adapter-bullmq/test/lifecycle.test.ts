import { expect } from 'chai'
import { patiently } from '@jobport/conformance'
import { openBroker, type RunningBroker } from '@jobport/brokers'
import { Bare, messageOf, refusalOf } from './both.ts'
import { eventually } from './trial.ts'

/** Beside what is promised, for a machine that has other work as well, ms. */
const LATE = 2_500
const LOCK = 60_000

for (const name of ['redis', 'postgres'] as const)
  describe(`BullMQ driver on ${name}`, function () {
    this.timeout(60_000)
    let broker: RunningBroker
    let bare: Bare

    before(async () => {
      broker = await openBroker(name, { own: true })
    })

    after(() => broker.close())

    beforeEach(async () => {
      bare = await new Bare(broker.url, { lockDuration: LOCK }).connect()
    })

    afterEach(async () => {
      await broker.resume().catch(() => {})
      await bare.close({ drop: false })
    })

    it('that is closed refuses to connect, to consume, to publish and to look', async () => {
      await bare.driver.close()
      await bare.driver.close()
      expect(await refusalOf(bare.connect())).to.include({ code: 'CLOSED' })
      expect(await refusalOf(bare.consume())).to.include({ code: 'CLOSED' })
      expect((await bare.add(messageOf({})))[0]).to.include({ status: 'rejected' })
      expect(await refusalOf(bare.driver.admin(bare.name).counts()), 'admin').to.not.equal(undefined)
    })

    it('refuses to consume while the server is away, in time, and nothing is left of it', async () => {
      await broker.stop()
      await eventually('down', () => bare.edges.includes('down'))
      const since = performance.now()
      expect(await refusalOf(bare.consume())).to.include({ code: 'UNAVAILABLE' })
      expect(performance.now() - since).to.be.below(patiently(5_000 + LATE))
      expect((await bare.add(messageOf({})))[0]).to.include({ status: 'rejected' })
      await broker.start()
      await eventually('up', () => bare.edges.includes('up'))
      expect(bare.edges).to.deep.equal(['down', 'up'])
      expect(await bare.driver.admin(bare.name).status()).to.deep.equal({ paused: false, workers: 0 })
      await bare.consume()
      await bare.add(messageOf({}))
      await (await bare.delivery(0)).settle({ type: 'complete', result: null })
    })

    it('in front of a frozen server: a ping, a consume and a publish end in time, and it closes', async () => {
      await bare.add(messageOf({}))
      await bare.consume()
      const delivery = await bare.delivery(0)
      await broker.pause()
      const since = performance.now()
      const took = async (call: Promise<unknown>): Promise<[string | undefined, number]> => [
        (await refusalOf(call))?.code,
        performance.now() - since,
      ]
      const settling = took(delivery.settle({ type: 'complete', result: null }))
      const other = new Bare(broker.url)
      const [ping, consume, fresh, [added]] = await Promise.all([
        took(bare.connect()),
        took(bare.driver.consume('other', () => {}, { prefetch: 1 })),
        took(other.connect()),
        bare.driver.publish(bare.name, [messageOf({})], { signal: AbortSignal.timeout(2_000) }),
      ])
      expect(added).to.include({ status: 'unknown' })
      for (const [code, ms] of [ping, consume, fresh]) {
        expect(code).to.equal('UNAVAILABLE')
        expect(ms).to.be.below(patiently(6_500 + LATE))
      }
      const before = performance.now()
      await Promise.all([bare.driver.close(), other.driver.close()])
      expect(performance.now() - before).to.be.below(patiently(5_000 + LATE))
      expect((await settling)[0]).to.equal('CLOSED')
    })
  })
