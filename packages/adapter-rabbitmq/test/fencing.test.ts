import { expect } from 'chai'
import { patiently } from '@jobport/conformance'
import { openBroker, type RunningBroker } from '@jobport/brokers'
import { Hands } from './hands.ts'
import { eventually } from './trial.ts'
import { WireCutter } from './wire-cutter.ts'
import type { JobportError, Message } from '@jobport/core/driver'

const COMPLETE = { type: 'complete', result: null } as const
const ENDS = [
  COMPLETE,
  { type: 'again', delay: 0, attempt: 2 },
  { type: 'release' },
  { type: 'dead', reason: 'attempts', error: { name: 'Error', message: 'late' } },
] as const
const KINDS: readonly (readonly [string, (n: number) => Partial<Message>])[] = [
  ['that only its queue knows', (n) => ({ data: n })],
  ['of the ledger', (n) => ({ data: n, id: `order-${n}` })],
]
const HEARTBEAT = 2_000

describe('RabbitMQ, a lease', function () {
  this.timeout(120_000)
  let server: RunningBroker
  let wire: WireCutter
  let first: Hands
  let second: Hands

  before(async () => (server = await openBroker('rabbitmq', { own: true })))
  after(() => server.close())

  beforeEach(async () => {
    wire = await WireCutter.open(server.url)
    first = new Hands({ url: wire.url, heartbeat: HEARTBEAT })
    second = new Hands({ url: server.url, heartbeat: HEARTBEAT })
    Object.defineProperty(second, 'queue', { value: first.queue })
  })

  afterEach(async () => {
    await first.driver.close()
    await second.admin.drop().catch(() => {})
    await second.driver.close()
    await wire.close()
  })

  async function refused(settling: Promise<void>): Promise<string | undefined> {
    return settling.then(
      () => undefined,
      (error: JobportError) => error.code,
    )
  }

  for (const [kind, job] of KINDS) {
    it(`is lost with its connection, and no late end of its run is taken: jobs ${kind}`, async () => {
      await first.consume(ENDS.length)
      await second.connect()
      await second.add(...ENDS.map((_, n) => job(n)))
      await eventually('all deliveries', () => first.deliveries.length === ENDS.length)
      const late = first.deliveries.splice(0)
      const lost = late.map(({ lease }) => new Promise<void>((resolve) => lease.onLost(resolve)))
      expect(wire.connections).to.equal(3)
      await second.consume(ENDS.length)
      wire.cut()
      await Promise.all(lost)
      await eventually('all deliveries again', () => second.deliveries.length === ENDS.length)
      expect(await Promise.all(late.map((delivery, n) => refused(delivery.settle(ENDS[n]!))))).to.deep.equal(
        ENDS.map(() => 'LEASE_LOST'),
      )
      for (const delivery of second.deliveries.splice(0)) {
        expect(delivery).to.include({ crashes: 1, stalled: true, attempt: 1 })
        expect(await refused(delivery.settle(COMPLETE))).to.equal(undefined)
      }
      expect(await second.admin.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    })

    it(`is lost when the way to the broker is silent for two heartbeats, also for ends on their way: jobs ${kind}`, async () => {
      await first.consume(ENDS.length)
      await second.connect()
      await second.add(...ENDS.map((_, n) => job(n)))
      await eventually('all deliveries', () => first.deliveries.length === ENDS.length)
      const late = first.deliveries.splice(0)
      await second.consume(ENDS.length)
      wire.silence()
      const silentSince = Date.now()
      const ends = late.map((delivery, n) => refused(delivery.settle(ENDS[n]!)))
      await eventually('all deliveries again', () => second.deliveries.length === ENDS.length, undefined, 30_000)
      expect(await Promise.all(ends)).to.deep.equal(ENDS.map(() => 'LEASE_LOST'))
      expect(Date.now() - silentSince, 'ms').to.be.below(patiently(6 * HEARTBEAT))
      expect(late.every(({ lease }) => lease.isLost)).to.equal(true)
      for (const delivery of second.deliveries.splice(0)) expect(await refused(delivery.settle(COMPLETE))).to.equal(undefined)
    })

    it(`goes back to the head of the queue when it is released: a job ${kind}`, async () => {
      await first.consume(1)
      await first.add(job(0), job(1))
      await (await first.next('the first job')).settle({ type: 'release' })
      const again = await first.next('the first job again')
      expect(again).to.deep.include({ crashes: 0, stalled: false, attempt: 1 }).and.have.nested.property('message.data', 0)
      await again.settle(COMPLETE)
      expect((await first.next('the second job')).message.data).to.equal(1)
    })
  }

  it('is of one process, however many drivers and subscriptions that has', async () => {
    await first.consume(1)
    await second.consume(1)
    await second.consume(1)
    expect(await second.admin.status()).to.deep.equal({ paused: false, workers: 1 })
  })

  it('does not outlive the driver, which closes in time, and then refuses all else', async () => {
    await first.consume(2)
    await first.add({ data: 0 }, { data: 1, id: 'order-1' })
    await eventually('both deliveries', () => first.deliveries.length === 2)
    const [plain, known] = first.deliveries.splice(0)
    wire.silence()
    const pending = refused(plain!.settle(COMPLETE))
    const start = Date.now()
    await Promise.all([first.driver.close(), first.driver.close()])
    expect(Date.now() - start, 'ms to close').to.be.below(patiently(5_500))
    expect(await pending).to.equal('LEASE_LOST')
    expect(await refused(known!.settle(COMPLETE))).to.equal('LEASE_LOST')
    expect(known!.lease.isLost).to.equal(true)
    const listener = { down: () => {}, up: () => {}, error: () => {} }
    const code = (call: Promise<unknown>): Promise<unknown> => call.catch((error: JobportError) => error.code)
    expect(await code(first.driver.connect(listener))).to.equal('CLOSED')
    expect(await code(first.driver.consume(first.queue, () => {}, { prefetch: 1 }))).to.equal('CLOSED')
    expect(await code(first.admin.counts())).to.equal('UNAVAILABLE')
    const message = { version: 1, id: 'x', uid: 'x', name: 'a', data: 2, headers: {}, addedAt: 1, attempts: 1 }
    const [result] = await first.driver.publish(first.queue, [message], { signal: AbortSignal.timeout(5_000) })
    expect(result).to.deep.include({ status: 'rejected' }).and.have.nested.property('error.code', 'UNAVAILABLE')
  })

  it('and all that is asked of a frozen broker are refused in time', async () => {
    await first.consume(1)
    await first.add({ data: 0, id: 'x' })
    await first.next('the job')
    await server.pause()
    try {
      const listener = { down: () => {}, up: () => {}, error: () => {} }
      const took = async (what: string, call: () => Promise<unknown>, most: number): Promise<void> => {
        const start = Date.now()
        const code = await call().then(
          () => 'none',
          (error: JobportError) => error.code,
        )
        expect(code, what).to.equal('UNAVAILABLE')
        expect(Date.now() - start, `ms of ${what}`).to.be.below(patiently(most))
      }
      await Promise.all([
        took('connect', () => first.driver.connect(listener), 11_000),
        took('consume', () => first.driver.consume(first.queue, () => {}, { prefetch: 1 }), 11_000),
        took('counts', () => first.admin.counts(), 11_000),
        took('get', () => first.admin.get('x', 'live'), 11_000),
        took('pause', () => first.admin.pause(), 11_000),
      ])
      await took('consume while down', () => first.driver.consume(first.queue, () => {}, { prefetch: 1 }), 1_000)
    } finally {
      await server.resume()
    }
  })
})
