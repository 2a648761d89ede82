import { inspect } from 'node:util'
import { expect } from 'chai'
import { patiently } from '@jobport/conformance'
import { freePort, makeCertificates, openBroker, type Certificates, type RunningBroker } from '@jobport/brokers'
import { connect, type Broker, type JobportError } from '@jobport/core'
import { Redis } from 'ioredis'
import { judge } from '../src/redis-server.ts'
import { eventually, Trial } from './trial.ts'

/** What docs/guarantees.md names as the least that a user of Redis needs. */
const RULE = ['~bull:*', '+@read', '+@write', '+@connection', '-@dangerous', '+eval', '+evalsha', '+info', '+client|list']
const CANARY = 'canary-5f2e'

describe('BullMQ connections to Redis', function () {
  this.timeout(30_000)
  let redis: RunningBroker
  let admin: Redis
  let trial: Trial

  before(async () => {
    redis = await openBroker('redis', { own: true })
    admin = new Redis(redis.url)
  })

  after(async () => {
    admin.disconnect()
    await redis.close()
  })

  beforeEach(() => {
    trial = new Trial(redis.url)
  })

  afterEach(() => trial.close())

  /** One job there and back. */
  const works = async (broker: Broker, options: { delay?: number } = {}): Promise<number> => {
    const started = new Promise<number>((resolve) => {
      void trial.worker(broker, () => resolve(Date.now()))
    })
    const due = Date.now() + (options.delay ?? 0)
    await broker.queue(trial.name).add('a', 1, options)
    return (await started) - due
  }

  const address = (user: string, password: string): string => redis.url.replace('//', `//${user}:${password}@`)

  describe("of the caller's own", () => {
    let client: Redis
    const listeners = (): number[] => ['ready', 'close', 'end', 'error', 'connect'].map((event) => client.listenerCount(event))

    beforeEach(() => {
      client = new Redis(redis.url, { commandTimeout: 1_000 })
    })

    afterEach(() => client.disconnect())

    it('work, and are neither closed nor left with listeners', async () => {
      await client.ping()
      const before = listeners()
      const broker = trial.broker({ connection: client })
      await works(broker)
      const lull = Date.now() + 2_500
      await eventually('a lull longer than the client waits for answers', () => Date.now() > lull)
      await broker.close()
      expect(client.status).to.equal('ready')
      expect(await client.ping()).to.equal('PONG')
      expect(listeners()).to.deep.equal(before)
      expect(trial.errors).to.deep.equal([])
    })

    it('keep no listeners of connections that failed', async () => {
      client.disconnect()
      client = new Redis({ port: await freePort(), retryStrategy: () => 100, maxRetriesPerRequest: null })
      client.on('error', () => {})
      const before = listeners()
      const broker = trial.broker({ connection: client }, { deadline: 150 })
      for (let i = 0; i < 3; i++) expect(await refusal(broker.connect())).to.include({ code: 'UNAVAILABLE' })
      await broker.close()
      await eventually('no listener left', () => listeners().join() === before.join(), listeners)
    })

    it('are refused with a keyPrefix', async () => {
      const prefixed = new Redis(redis.url, { keyPrefix: 'mine:', lazyConnect: true })
      expect(await refusal(connect({ adapter: 'bullmq', connection: prefixed })))
        .to.include({ code: 'INVALID_CONFIG' })
        .and.to.have.property('message')
        .that.includes('keyPrefix')
    })
  })

  it('keep databases and prefixes apart', async () => {
    const brokers = [trial.broker(), trial.broker({ db: 3 }), trial.broker({ prefix: 'other' })]
    for (const broker of brokers) {
      const queue = broker.queue(trial.name)
      expect((await queue.add('a', 1, { id: 'same' })).added).to.equal(true)
      expect(await queue.counts()).to.include({ waiting: 1 })
    }
    expect(await admin.exists(`bull:${trial.name}:wait`, `other:${trial.name}:wait`)).to.equal(2)
    const nowhere = await refusal(trial.broker({ url: `${redis.url}/99` }).connect())
    expect(nowhere, 'not silently database 0')
      .to.include({ code: 'SERVER_UNSUITABLE' })
      .and.to.have.property('message')
      .that.includes('DB index')
    for (const broker of brokers) await broker.queue(trial.name).drop()
  })

  it('need no more of a user than the documented rule', async () => {
    await admin.call('ACL', 'SETUSER', 'least', 'reset', 'on', '>pw', ...RULE)
    const broker = trial.broker({ url: address('least', 'pw') })
    const queue = broker.queue(trial.name)
    await works(broker)
    await queue.addMany([
      { name: 'a', data: 1, options: { id: 'x', delay: 60_000 } },
      { name: 'a', data: 1, options: { priority: 3 } },
    ])
    expect(await queue.remove('x')).to.equal(true)
    await queue.pause()
    expect(await queue.isPaused()).to.equal(true)
    await queue.resume()
    await queue.list('waiting')
    await queue.deadLetters.list()
    expect((await broker.health()).ok).to.equal(true)
    await queue.purge()
    await queue.drop()
    expect(await admin.call('ACL', 'LOG')).to.deep.equal([])
    expect(trial.errors).to.deep.equal([])
  })

  it('say so if the user may not see the memory policy, and start delayed jobs on time all the same', async () => {
    await admin.call('ACL', 'SETUSER', 'blind', 'reset', 'on', '>pw', ...RULE, '-info')
    const broker = trial.broker({ url: address('blind', 'pw') })
    expect(await works(broker, { delay: 300 })).to.be.within(0, patiently(500))
    expect(trial.errors).to.have.length(1)
    expect(trial.errors[0])
      .to.include({ code: 'SERVER_UNSUITABLE' })
      .and.to.have.property('message')
      .that.includes('maxmemory-policy')
    await admin.call('ACL', 'LOG', 'RESET')
  })

  it('refuse what the user may not do with ACCESS_DENIED', async () => {
    await admin.call('ACL', 'SETUSER', 'reader', 'reset', 'on', '>pw', '~bull:*', '+@read', '+@connection', '+info')
    const broker = trial.broker({ url: address('reader', 'pw') })
    expect(await refusal(broker.queue(trial.name).add('a', 1))).to.include({ code: 'ACCESS_DENIED' })
    await admin.call('ACL', 'LOG', 'RESET')
  })

  it('show no password, whatever goes wrong', async () => {
    await admin.call('ACL', 'SETUSER', 'known', 'reset', 'on', '>pw', ...RULE)
    const { hostname, port } = new URL(redis.url)
    const nobody = await freePort()
    const attempts: [string, Broker][] = [
      ['ACCESS_DENIED', trial.broker({ url: address('known', CANARY) })],
      ['ACCESS_DENIED', trial.broker({ host: hostname, port: Number(port), username: 'known', password: CANARY })],
      [
        'ACCESS_DENIED',
        trial.broker({ connection: new Redis(address('known', CANARY), { lazyConnect: true, retryStrategy: () => null }) }),
      ],
      ['UNAVAILABLE', trial.broker({ url: `redis://known:${CANARY}@127.0.0.1:${nobody}` })],
      ['UNAVAILABLE', trial.broker({ url: `rediss://known:${CANARY}@127.0.0.1:${port}` })],
    ]
    for (const [code, broker] of attempts) {
      const error = await refusal(broker.connect())
      expect(error).to.include({ code })
      expect(inspect([error, error.stack, error.cause, trial.errors], { depth: 20, showHidden: true })).not.to.include(CANARY)
    }
    await admin.call('ACL', 'LOG', 'RESET')
  })

  it('refuse a server that may throw jobs away', async () => {
    const lru = await openBroker('redis', { settings: { 'maxmemory-policy': 'allkeys-lru' } })
    try {
      const error = await refusal(connect(lru.url))
      expect(error).to.include({ code: 'SERVER_UNSUITABLE' })
      expect(error.message).to.match(/allkeys-lru.*noeviction/)
    } finally {
      await lru.close()
    }
  })

  it('refuse a server that is too old, and take Valkey', () => {
    for (const version of ['6.0.16', '5.0.14', '4.0.0']) {
      expect(() => judge(`redis_version:${version}\r\n`, 'noeviction'))
        .to.throw(/Redis 6\.2 or newer/)
        .with.property('code', 'SERVER_UNSUITABLE')
    }
    expect(judge('redis_version:6.2.0\r\n', 'noeviction')).to.deep.equal({ version: 'redis 6.2.0', isKnown: true })
    expect(judge('redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\n', 'noeviction')).to.deep.equal({
      version: 'valkey 8.1.0',
      isKnown: true,
    })
    expect(judge('', undefined)).to.include({ isKnown: false }).and.to.have.property('warning')
    expect(() => judge('', 'volatile-lru')).to.throw(/volatile-lru/)
  })

  it('fail in time if nothing answers', async () => {
    const broker = trial.broker({}, { deadline: 1_000 })
    const patient = trial.broker()
    await redis.pause()
    try {
      const before = performance.now()
      expect(await refusal(broker.connect())).to.include({ code: 'UNAVAILABLE' })
      expect(performance.now() - before).to.be.below(patiently(3_500))
      expect(await refusal(patient.connect())).to.include({ code: 'UNAVAILABLE' })
      expect(performance.now() - before).to.be.below(patiently(9_500))
    } finally {
      await redis.resume()
    }
    await patient.connect()
  })

  describe('with TLS', () => {
    let secure: RunningBroker
    let place: string
    let certificates: Certificates

    before(async () => {
      certificates = await makeCertificates()
      const port = await freePort()
      const { key, certificate, ca } = certificates.files
      secure = await openBroker('redis', {
        ways: ['local'],
        settings: {
          'tls-port': String(port),
          'tls-cert-file': certificate,
          'tls-key-file': key,
          'tls-ca-cert-file': ca,
          'tls-auth-clients': 'no',
        },
      })
      place = `127.0.0.1:${port}`
    })

    after(async () => {
      await secure.close()
      certificates.remove()
    })

    it('work with the right CA', async () => {
      const broker = trial.broker({ url: `rediss://${place}`, tls: { ca: certificates.ca } })
      await works(broker)
      const [host, port] = place.split(':')
      await trial.broker({ host: host!, port: Number(port), tls: { ca: certificates.ca } }).connect()
      await broker.queue(trial.name).drop()
    })

    it('refuse a server that a wrong CA, or none, vouches for', async () => {
      for (const tls of [{ ca: certificates.otherCa }, true, { ca: certificates.ca, servername: 'elsewhere' }]) {
        const error = await refusal(trial.broker({ url: `rediss://${place}`, tls }).connect())
        expect(error).to.include({ code: 'UNAVAILABLE' })
        expect(error.message).to.match(/certificate|altnames/i)
      }
    })

    it('are not met without it, in time', async () => {
      const before = performance.now()
      expect(await refusal(trial.broker({ url: `redis://${place}` }).connect())).to.include({ code: 'UNAVAILABLE' })
      expect(performance.now() - before).to.be.below(patiently(5_500))
    })
  })
})

async function refusal(work: Promise<unknown>): Promise<JobportError> {
  const result = await work.then(
    (value) => ({ value }),
    (error: JobportError) => ({ error }),
  )
  if ('error' in result) return result.error
  throw new Error(`was not refused: ${inspect(result.value)}`)
}
