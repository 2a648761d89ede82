import { connect } from 'node:net'
import { inspect } from 'node:util'
import { freePort, makeCertificates, openBroker, type Certificates, type RunningBroker } from '@jobport/brokers'
import { expect } from 'chai'
import type { JobportError } from '@jobport/core'
import { checkServer } from '../src/server.ts'
import { ManagedBroker } from './management.ts'
import { eventually, Trial } from './trial.ts'
import { WireCutter } from './wire-cutter.ts'

const CANARY = 'canary-5f2e'
/** Without a name the certificate would be the credential, which takes a plugin. */
const GUEST = { username: 'guest', password: 'guest' }
/** A queue of the chain of delays: its level, its digit. */
const STEP = /^:delay-v1\.(\d)\.(\d+)$/
/** What docs/guarantees.md names as the least that a user of RabbitMQ needs. */
const LEAST = { configure: '^jobport[.:].*', write: '^(jobport[.:].*|amq\\.default)$', read: '^jobport[.:].*' }

describe('RabbitMQ connections', function () {
  this.timeout(60_000)
  let server: ManagedBroker
  let trial: Trial

  before(async () => {
    server = await ManagedBroker.open()
  })

  after(() => server.close())

  beforeEach(() => {
    trial = new Trial(server.url)
  })

  afterEach(() => trial.close())

  it('need no more than the documented permissions, whatever is done', async () => {
    const broker = trial.broker({ url: await server.user('least', CANARY, LEAST) })
    const queue = broker.queue(trial.name)
    const ran: string[] = []
    await queue.addMany([
      { name: 'plain', data: 1 },
      { name: 'given', data: 1, options: { id: 'a' } },
      { name: 'late', data: 1, options: { delay: 300 } },
      { name: 'doomed', data: 1, options: { id: 'b', attempts: 2, backoff: { type: 'fixed', delay: 20 } } },
      { name: 'removed', data: 1, options: { id: 'c', delay: 3_600_000 } },
    ])
    expect(await queue.remove('c')).to.equal(true)
    await trial.worker(broker, ({ name }) => {
      ran.push(name)
      if (name === 'doomed' && ran.filter((each) => each === name).length < 3) throw new Error('not yet')
    })
    await eventually('all ends', async () => ran.includes('late') && (await queue.counts()).dead === 1)
    expect((await queue.deadLetters.list()).jobs).to.have.length(1)
    await queue.deadLetters.redrive('b')
    await eventually('the redriven job', () => ran.filter((name) => name === 'doomed').length === 3)
    await queue.pause()
    expect(await queue.isPaused()).to.equal(true)
    await queue.resume()
    await queue.purge()
    expect((await broker.health()).ok).to.equal(true)
    await queue.drop()
    expect(trial.errors).to.deep.equal([])
  })

  it('say which permission is missing, and no credential', async () => {
    const url = await server.user('other', CANARY, { configure: '^other.*', write: '^other.*', read: '^other.*' })
    const error = await trial
      .broker({ url })
      .queue(trial.name)
      .add('a', 1)
      .catch((thrown: JobportError) => thrown)
    expect(error).to.include({ code: 'ACCESS_DENIED' })
    expect((error as JobportError).message).to.contain(trial.work)
    expect(inspect(error, { depth: 9, showHidden: true })).not.to.contain(CANARY)
  })

  it('say it, without a tight loop, when credentials are withdrawn under a running worker; and go on when they are back', async () => {
    const url = await server.user('fickle', CANARY, LEAST)
    const broker = trial.broker({ url })
    const ran: string[] = []
    await trial.worker(broker, ({ id }) => void ran.push(id))
    const queue = broker.queue(trial.name)
    await server.permit('fickle', { configure: '^$', write: '^$', read: '^$' })
    const error = await eventually('a refusal', () =>
      queue.add('a', 1, { id: 'x', deadline: 1_000 }).then(
        () => undefined,
        (thrown: JobportError) => thrown,
      ),
    )
    expect(error.code).to.be.oneOf(['ACCESS_DENIED', 'UNCONFIRMED'])
    await server.permit('fickle', LEAST)
    await eventually('an add', () =>
      queue.add('a', 1, { id: 'y', deadline: 1_000 }).then(
        () => true,
        () => undefined,
      ),
    )
    await eventually('its run', () => ran.includes('y'))
    expect(trial.errors.length, inspect(trial.errors.map(({ message }) => message))).to.be.below(30)
    expect(inspect(trial.errors, { depth: 9, showHidden: true })).not.to.contain(CANARY)
  })

  it('show the documented topology in the management interface', async () => {
    const broker = trial.broker()
    await trial.worker(broker, () => 1)
    await broker.queue(trial.name).add('a', 1, { id: 'x', delay: 1_000 })
    type Thing = { readonly name: string; readonly type: string; readonly durable: boolean; readonly arguments: object }
    const ours = ({ name }: Thing): boolean => name.startsWith(trial.work)
    const shown = async (kind: string): Promise<Map<string, Thing>> => {
      const things = (await server.get<Thing[]>(`${kind}/%2F`)).filter(ours)
      return new Map(things.map((thing) => [thing.name.slice(trial.work.length), thing]))
    }
    const queues = await shown('queues')
    const steps = [...queues].filter(([name]) => STEP.test(name))
    const named = [...queues.keys()].filter((name) => !name.startsWith(':control.') && !STEP.test(name))
    expect(named).to.have.members(['', ':failed', ':ledger', ':members', ':delay-v1.watched', ':delay-v1.registry'])
    expect(queues.get('')).to.deep.include({ type: 'quorum', durable: true })
    expect(queues.get('')!.arguments).to.deep.include({
      'x-delivery-limit': -1,
      'x-consumer-disconnected-timeout': 5_000,
      'x-dead-letter-routing-key': `${trial.work}:failed`,
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
    })
    expect(queues.get(':failed')).to.deep.include({ type: 'quorum' })
    expect(queues.get(':ledger')).to.deep.include({ type: 'stream' })
    expect(queues.get(':ledger')!.arguments).to.deep.include({ 'x-max-length-bytes': 256 * 1_048_576 })
    expect(steps.length).to.be.within(1, 45)
    for (const [name, step] of steps) {
      const [, level, digit] = STEP.exec(name)!.map(Number)
      expect(step.arguments, name).to.deep.include({ 'x-message-ttl': digit! * 16 ** level!, 'x-queue-type': 'quorum' })
    }
    const exchanges = await shown('exchanges')
    expect(exchanges.get(':control')).to.deep.include({ type: 'fanout', durable: true })
    expect(exchanges.get(':delay-v1.out')).to.deep.include({ type: 'topic' })
    for (let level = 0; level < 8; level++) expect(exchanges.has(`:delay-v1.${level}`), `level ${level}`).to.equal(true)
  })

  it('refuse a server that is too old, with the reason', () => {
    const server = { product: 'RabbitMQ', version: '4.2.9' } as Parameters<typeof checkServer>[0]
    expect(() => checkServer(server, 131_072))
      .to.throw(/4\.2\.9.*4\.3/)
      .with.property('code', 'SERVER_UNSUITABLE')
    expect(checkServer({ ...server, version: '4.3.0' }, 131_072)).to.equal('rabbitmq 4.3.0')
  })

  it('refuse a server whose frames are too small for the headers of a job', async () => {
    await using small = await openBroker('rabbitmq', { own: true, settings: { frame_max: '8192' } })
    const error = await trial
      .broker({ url: small.url })
      .connect()
      .catch((thrown: JobportError) => thrown)
    expect(error)
      .to.include({ code: 'SERVER_UNSUITABLE' })
      .and.property('message')
      .match(/frame_max of 8192/)
  })

  it('go to the next of several hosts when one cannot be had, at first and later', async () => {
    const dead = await freePort()
    const wires = [await WireCutter.open(server.url), await WireCutter.open(server.url)] as const
    const [one, two] = wires
    try {
      const ports = wires.map(({ url }) => new URL(url).port)
      const broker = trial.broker({ url: `amqp://127.0.0.1:${dead},127.0.0.1:${ports[0]},127.0.0.1:${ports[1]}/` })
      const queue = broker.queue(trial.name)
      const ran: unknown[] = []
      await trial.worker(broker, ({ data }) => void ran.push(data))
      await queue.add('a', 1)
      await eventually('the first run', () => ran.includes(1))
      expect(one.connections + two.connections).to.equal(3)
      await one.close()
      const added = (): Promise<boolean> =>
        queue.add('a', 2, { id: 'x', deadline: 2_000 }).then(
          () => true,
          () => false,
        )
      await eventually('an add', added, undefined, 20_000)
      await eventually('the second run', () => ran.includes(2))
      expect(two.connections).to.equal(3)
    } finally {
      await trial.close()
      await Promise.all(wires.map((wire) => wire.close()))
    }
  })

  describe('over TLS', () => {
    let certificates: Certificates
    let secure: RunningBroker
    let port: number

    before(async () => {
      certificates = await makeCertificates()
      const { key, certificate, ca } = certificates.files
      port = await freePort()
      secure = await openBroker('rabbitmq', {
        ways: ['local'],
        settings: {
          'listeners.ssl.1': `127.0.0.1:${port}`,
          'ssl_options.cacertfile': ca,
          'ssl_options.certfile': certificate,
          'ssl_options.keyfile': key,
          'ssl_options.verify': 'verify_peer',
          'ssl_options.fail_if_no_peer_cert': 'true',
        },
      })
      // this listener comes after the other
      await eventually('the listener', () => listens(port))
    })

    after(async () => {
      await secure.close()
      certificates.remove()
    })

    it('work with the right CA and a certificate of their own', async () => {
      const { ca, client } = certificates
      const broker = trial.broker({ host: '127.0.0.1', port, tls: { ca, ...client, servername: 'localhost' }, ...GUEST })
      expect(await broker.queue(trial.name).add('a', 1)).to.include({ added: true })
      await broker.queue(trial.name).drop()
    })

    it('refuse a server that a wrong CA, or none, vouches for, and are refused without a certificate', async () => {
      const { ca, client, otherCa } = certificates
      for (const tls of [{ ca: otherCa, ...client }, { ...client }, { ca }]) {
        const broker = trial.broker({ host: '127.0.0.1', port, tls: { servername: 'localhost', ...tls }, ...GUEST })
        const error = await broker.connect().catch((thrown: JobportError) => thrown)
        expect(error).to.have.property('code').that.is.oneOf(['UNAVAILABLE', 'ACCESS_DENIED'])
        expect(inspect(error, { depth: 9, showHidden: true })).not.to.contain('PRIVATE KEY')
      }
    })
  })
})

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
