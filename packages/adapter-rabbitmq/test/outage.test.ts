import { inspect } from 'node:util'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { patiently } from '@jobport/conformance'
import { openBroker, type RunningBroker } from '@jobport/brokers'
import type { JobportError } from '@jobport/core'
import { Abrupt } from './abrupt.ts'
import { eventually, Trial } from './trial.ts'

const CANARY = 'canary-5f2e'

describe('RabbitMQ in trouble', function () {
  this.timeout(90_000)
  let server: RunningBroker
  let trial: Trial

  before(async () => {
    server = await openBroker('rabbitmq', { own: true })
  })

  after(() => server.close())

  beforeEach(() => {
    trial = new Trial(server.url)
  })

  afterEach(() => trial.close())

  it('loses nothing when it is killed, and is served again unaided within 10 s', async () => {
    const broker = trial.broker()
    const queue = broker.queue(trial.name)
    const ran: string[] = []
    await trial.worker(broker, (job) => void ran.push(job.name))
    await queue.add('before', 1)
    await eventually('the run before', () => ran.includes('before'))
    await queue.add('delayed', 1, { delay: 4_000 })
    expect(await queue.add('given', 1, { id: 'order-42', delay: 3_600_000 })).to.include({ added: true })
    // a queue that is younger than this does not survive a kill
    await pause(1_500)
    await server.kill()
    const error = await queue.add('away', 1, { deadline: 2_000 }).catch((thrown: JobportError) => thrown)
    expect(error).to.have.property('code').that.is.oneOf(['UNAVAILABLE', 'UNCONFIRMED', 'TIMEOUT'])
    await server.start()
    const up = Date.now()
    await eventually('an add', async () =>
      queue.add('after', 1, { deadline: 1_000 }).then(
        () => true,
        () => false,
      ),
    )
    await eventually(
      'both runs',
      () => ran.includes('after') && ran.includes('delayed'),
      () => ran,
    )
    expect(Date.now() - up, 'ms').to.be.below(patiently(10_000))
    expect(await queue.add('given', 1, { id: 'order-42' })).to.include({ added: false })
    expect(await queue.remove('order-42')).to.equal(true)
  })

  for (const [what, ending] of [
    ['at first', [1, 2, 3]],
    ['when it connects again', [4, 5, 6]],
  ] as const) {
    it(`is not taken for connected when it ends its connections as it opens them, ${what}`, async () => {
      const proxy = await Abrupt.open(server.url, new Set(ending))
      const broker = trial.broker({ url: proxy.url }, { deadline: 2_000 })
      const queue = broker.queue(trial.name)
      const added = (): Promise<boolean> =>
        queue.add('a', 1, { attempts: 2 }).then(
          () => true,
          () => false,
        )
      await eventually('an add', added)
      if (proxy.ended === 0) proxy.cut()
      await eventually('broken connections', () => proxy.ended === ending.length)
      await eventually('another add', added)
      const ran: number[] = []
      await trial.worker(broker, ({ attempt }) => {
        ran.push(attempt)
        if (attempt === 1) throw new Error('once')
      })
      await eventually(
        'runs and retries',
        () => ran.filter((attempt) => attempt === 2).length >= 2,
        () => ran,
      )
      proxy.close()
    })
  }

  it('is reached by another host of the list', async () => {
    const port = Number(new URL(server.url).port)
    const broker = trial.broker({
      hosts: [
        { host: '127.0.0.1', port: 1 },
        { host: '127.0.0.1', port },
      ],
    })
    await broker.connect()
    expect(await broker.queue(trial.name).add('a', 1)).to.include({ added: true })
  })

  it('says that credentials are wrong, and not what they are', async () => {
    const url = new URL(server.url)
    url.username = 'nobody'
    url.password = CANARY
    const broker = new Trial(url.href).broker()
    const error = await broker.connect().catch((thrown: JobportError) => thrown)
    await broker.close()
    expect(error).to.include({ code: 'ACCESS_DENIED' })
    expect(inspect(error, { depth: 9, showHidden: true })).not.to.contain(CANARY)
  })

  it('is said not to have answered, when it is frozen while a queue is declared', async () => {
    const broker = trial.broker()
    await broker.connect()
    await server.pause()
    try {
      // below core, which asks again until its deadline
      const driver = await broker.driver()
      const message = { version: 1, id: 'x', uid: 'x', name: 'a', data: 1, headers: {}, addedAt: Date.now(), attempts: 1 }
      const [result] = await driver.publish(trial.name, [message], { signal: AbortSignal.timeout(12_000) })
      expect(result).to.have.property('status', 'rejected')
      expect(result).to.have.nested.property('error.code', 'UNAVAILABLE')
      expect(result).to.have.nested.property('error.message').that.includes('no answer within')
    } finally {
      await server.resume()
    }
  })

  it('ends a publish once its signal fires, frozen as it is, whether the ledger or a channel is asked', async () => {
    const broker = trial.broker()
    await broker.connect()
    await broker.queue(trial.name).add('a', 1, { id: 'before' })
    await server.pause()
    try {
      const driver = await broker.driver()
      for (const id of ['given', 'uid']) {
        const message = { version: 1, id, uid: 'uid', name: 'a', data: 1, headers: {}, addedAt: Date.now(), attempts: 1 }
        const start = performance.now()
        const [result] = await driver.publish(trial.name, [message], { signal: AbortSignal.timeout(300) })
        expect(result).to.have.property('status').that.is.oneOf(['unknown', 'rejected'])
        expect(performance.now() - start, 'ms').to.be.below(patiently(1_500))
      }
    } finally {
      await server.resume()
    }
  })

  it('ends every add by its deadline while it takes no messages', async () => {
    await using full = await openBroker('rabbitmq', { own: true, settings: { 'disk_free_limit.absolute': '900TB' } })
    const blocked = new Trial(full.url)
    const queue = blocked.broker().queue(blocked.name)
    for (let i = 0; i < 3; i++) {
      const start = Date.now()
      const error = await queue.add('a', i, { deadline: 1_500 }).catch((thrown: JobportError) => thrown)
      expect(error).to.have.property('code').that.is.oneOf(['UNAVAILABLE', 'UNCONFIRMED'])
      expect(Date.now() - start, 'ms').to.be.below(patiently(3_000))
    }
    expect(blocked.errors.some(({ message }) => message.includes('takes no messages'))).to.equal(true)
    await blocked.close()
  })
})
