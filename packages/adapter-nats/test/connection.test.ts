import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { freePort, makeCertificates, openBroker, type Certificates, type RunningBroker } from '@jobport/brokers'
import type { Broker, JobportError } from '@jobport/core'
import { nkeys } from '@nats-io/transport-node'
import { expect } from 'chai'
import { judgeVersion } from '../src/server.ts'
import { readSettings } from '../src/settings.ts'
import { Operator } from './operator.ts'
import { Silent } from './silent.ts'
import { Trial } from './trial.ts'

const CANARY = 'canary-5f2e'
/** What docs/guarantees.md names as the least that a user of NATS needs. */
const LEAST =
  '{ publish: ["jobport.>", "jobport-workers.>", "$JS.API.>", "$JS.ACK.>", "_INBOX.>"], subscribe: ["_INBOX.>", "jobport-workers.>"] }'

describe('NATS connections', function () {
  this.timeout(30_000)
  const seed = nkeys.createUser()
  let nats: RunningBroker
  let trial: Trial

  before(async () => {
    const users = [
      '{ user: "known", password: "p@ss:w/rd" }',
      `{ user: "least", password: "pw", permissions: ${LEAST} }`,
      '{ user: "reader", password: "pw", permissions: { publish: ["$JS.API.INFO", "$JS.API.STREAM.INFO.*", "_INBOX.>"] } }',
      `{ nkey: ${seed.getPublicKey()} }`,
    ]
    nats = await openBroker('nats', {
      settings: {
        'accounts.A': `{ jetstream: enabled, users: [ ${users.join(', ')} ] }`,
        'accounts.B': '{ users: [ { user: "none", password: "pw" } ] }',
      },
    })
  })

  after(() => nats.close())

  beforeEach(() => {
    trial = new Trial(address('known', 'p@ss:w/rd'))
  })

  afterEach(() => trial.close())

  function address(user: string, password: string): string {
    return nats.url.replace('//', `//${encodeURIComponent(user)}:${encodeURIComponent(password)}@`)
  }

  const place = (): string => nats.url.replace('nats://', '')

  /** One job there and back. */
  const works = async (broker: Broker): Promise<void> => {
    const done = Promise.withResolvers<void>()
    const worker = await trial.worker(broker, () => done.resolve())
    await broker.queue(trial.name).add('a', 1)
    await done.promise
    await worker.stop()
  }

  it('take a user and a password from the URL, with whatever characters, or as options, or an nkey', async () => {
    await works(trial.broker())
    await works(trial.broker({ servers: place(), user: 'known', password: 'p@ss:w/rd' }))
    await works(trial.broker({ servers: [place()], nkey: new TextDecoder().decode(seed.getSeed()) }))
  })

  it('go on to the next of several servers, with a user and without, as URL and as options', async () => {
    const nobody = `127.0.0.1:${await freePort()}`
    const open = await openBroker('nats', { own: true })
    try {
      const free = open.url.replace('nats://', '')
      const login = `known:${encodeURIComponent('p@ss:w/rd')}`
      for (const options of [
        { url: `nats://${nobody},${free}` },
        { url: `nats://${free},${nobody}/?ackWait=2000` },
        { url: `nats://${login}@${nobody},${place()}` },
        { servers: [nobody, place()], user: 'known', password: 'p@ss:w/rd' },
      ]) {
        const broker = trial.broker(options)
        await works(broker)
        await broker.queue(trial.name).drop()
      }
      expect(await refusal(trial.broker({ url: `nats://${nobody},${nobody}` }).connect())).to.include({ code: 'UNAVAILABLE' })
    } finally {
      await open.close()
    }
  })

  it('ask again what a server did not answer, as one of a cluster without a leader', async () => {
    const silent = await Silent.open(nats.url, 1)
    try {
      await works(trial.broker({ servers: silent.place, user: 'known', password: 'p@ss:w/rd' }))
      expect(silent.lost).to.equal(1)
    } finally {
      silent.close()
    }
  })

  it('take a token, from the URL and as an option', async () => {
    const own = await openBroker('nats', { settings: { 'authorization.token': '"s3cr=t"' } })
    try {
      for (const options of [
        { url: own.url.replace('//', '//s3cr%3Dt@') },
        { servers: own.url.replace('nats://', ''), token: 's3cr=t' },
      ]) {
        const broker = trial.broker(options)
        await works(broker)
        await broker.queue(trial.name).drop()
      }
      expect(await refusal(trial.broker({ url: own.url }).connect())).to.include({ code: 'ACCESS_DENIED' })
    } finally {
      await own.close()
    }
  })

  it('take a credentials file, and are refused with that of an account that the server does not know', async () => {
    const operator = await Operator.open()
    const folder = mkdtempSync(join(tmpdir(), 'jobport-creds-'))
    const [good, forged] = [join(folder, 'good.creds'), join(folder, 'forged.creds')]
    try {
      writeFileSync(good, await operator.credentials())
      writeFileSync(forged, await operator.forged())
      const broker = trial.broker({ servers: operator.place, credentials: good })
      await works(broker)
      await broker.queue(trial.name).drop()
      const stranger = await refusal(trial.broker({ servers: operator.place, credentials: forged }).connect())
      expect(stranger).to.include({ code: 'ACCESS_DENIED' })
      expect(inspect([stranger, trial.errors], { depth: 20, showHidden: true })).not.to.include('PRIVATE')
      expect(await refusal(trial.broker({ servers: operator.place }).connect())).to.include({ code: 'ACCESS_DENIED' })
    } finally {
      rmSync(folder, { recursive: true })
      await operator.close()
    }
  })

  it('need no more of a user than the documented rule', async () => {
    const broker = trial.broker({ url: address('least', 'pw') })
    const queue = broker.queue(trial.name)
    await works(broker)
    await queue.add('a', 1, { id: 'x', delay: 60_000 })
    await queue.add('a', 1, { priority: 3 })
    expect(await queue.remove('x')).to.equal(true)
    await queue.pause()
    expect(await queue.isPaused()).to.equal(true)
    await queue.resume()
    expect((await queue.list('waiting')).jobs).to.have.length(1)
    expect((await broker.health()).ok).to.equal(true)
    expect(await queue.purge()).to.equal(1)
    await queue.drop()
    expect(trial.errors).to.deep.equal([])
  })

  it('refuse what the user may not do with ACCESS_DENIED', async () => {
    await trial.broker().queue(trial.name).add('a', 1)
    const broker = trial.broker({ url: address('reader', 'pw') })
    expect(await refusal(broker.queue(trial.name).add('a', 1))).to.include({ code: 'ACCESS_DENIED' })
  })

  it('refuse an account without JetStream', async () => {
    const error = await refusal(trial.broker({ url: address('none', 'pw') }).connect())
    expect(error).to.include({ code: 'SERVER_UNSUITABLE' })
    expect(error.message).to.include('JetStream')
  })

  it('refuse a server that is too old', () => {
    for (const version of ['2.9.10', '2.10.27', '2.11.15', '2.12.9', '1.4.1', '']) {
      expect(() => judgeVersion(version), version)
        .to.throw(/NATS 2\.12\.10 or newer/)
        .with.property('code', 'SERVER_UNSUITABLE')
    }
    for (const version of ['2.12.10', '2.12.11', '2.14.2', '2.15.1-RC.1', '3.0.0']) judgeVersion(version)
  })

  it('show no password, whatever goes wrong', async () => {
    const nobody = await freePort()
    const attempts: [string, Broker][] = [
      ['ACCESS_DENIED', trial.broker({ url: address('known', CANARY) })],
      ['ACCESS_DENIED', trial.broker({ url: address(CANARY, CANARY) })],
      ['ACCESS_DENIED', trial.broker({ servers: place(), user: 'known', password: CANARY })],
      ['ACCESS_DENIED', trial.broker({ servers: place(), token: CANARY })],
      ['UNAVAILABLE', trial.broker({ url: `nats://known:${CANARY}@127.0.0.1:${nobody}` })],
      ['UNAVAILABLE', trial.broker({ url: `nats+tls://known:${CANARY}@${place()}` })],
    ]
    for (const [code, broker] of attempts) {
      const error = await refusal(broker.connect())
      expect(error).to.include({ code })
      expect(inspect([error, error.stack, error.cause, trial.errors], { depth: 20, showHidden: true })).not.to.include(CANARY)
    }
    for (const url of [`nats://known:${CANARY}%@x:1`, `nats://a:${CANARY}@`, `nats:/${CANARY}`, `nats://a:${CANARY}@x?nope=1`]) {
      expect(() => readSettings(url), url)
        .to.throw()
        .with.property('message')
        .that.does.not.include(CANARY)
    }
  })

  it('keep prefixes apart', async () => {
    for (const prefix of ['jobport', 'other']) {
      const broker = trial.broker({ prefix })
      expect(await broker.queue(trial.name).add('a', 1, { id: 'same' })).to.include({ added: true })
      expect(await broker.queue(trial.name).counts()).to.include({ waiting: 1 })
      await broker.queue(trial.name).drop()
    }
  })

  describe('with TLS', () => {
    let secure: RunningBroker
    let certificates: Certificates

    before(async () => {
      certificates = await makeCertificates()
      const { key, certificate, ca } = certificates.files
      secure = await openBroker('nats', {
        ways: ['local'],
        settings: {
          'tls.cert_file': `"${certificate}"`,
          'tls.key_file': `"${key}"`,
          'tls.ca_file': `"${ca}"`,
          'tls.verify': 'true',
        },
      })
    })

    after(async () => {
      await secure.close()
      certificates.remove()
    })

    it('work with the right CA and a certificate of their own', async () => {
      const { ca, client } = certificates
      const nobody = `127.0.0.1:${await freePort()}`
      for (const url of [secure.url, secure.url.replace('//', `//${nobody},`)]) {
        const broker = trial.broker({ url: url.replace('nats:', 'nats+tls:'), tls: { ca, ...client } })
        await works(broker)
        await broker.queue(trial.name).drop()
      }
    })

    it('refuse a server that a wrong CA, or none, vouches for, and are refused without a certificate', async () => {
      const { ca, otherCa, client } = certificates
      for (const tls of [{ ca: otherCa, ...client }, true, { ca }]) {
        expect(await refusal(trial.broker({ url: secure.url, tls }).connect()), inspect(tls)).to.include({ code: 'UNAVAILABLE' })
      }
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
