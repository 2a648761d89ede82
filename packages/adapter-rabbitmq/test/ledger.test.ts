import { expect } from 'chai'
import { openBroker, type RunningBroker } from '@jobport/brokers'
import { Client } from './client.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { LedgerOptions } from '../src/ledger/api.ts'
import type { Claim } from '../src/ledger/entries.ts'

const usable = (): boolean => true

function claim(ledger: Ledger, id: string, uid: string, more: Partial<Claim> = {}): Claim {
  return { type: 'claim', id, uid, copy: `${uid}-1`, seen: ledger.seen, ...more }
}

describe('Ledger', function () {
  this.timeout(30_000)
  let broker: RunningBroker
  let clients: Client[] = []
  let stream: string

  before(async () => (broker = await openBroker('rabbitmq')))
  after(() => broker.close())
  beforeEach(() => (stream = `ledger.${crypto.randomUUID()}`))
  afterEach(async () => {
    await clients[0]?.deleteStream(stream).catch(() => undefined)
    await Promise.all(clients.map((client) => client.close()))
    clients = []
  })

  function client(): Client {
    const made = new Client(broker.url)
    clients.push(made)
    return made
  }

  async function open(options: Partial<LedgerOptions> = {}): Promise<Ledger> {
    const ledger = client().ledger(stream, options)
    await ledger.start()
    return ledger
  }

  async function expectSame(...ledgers: readonly Ledger[]): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      await Promise.all(ledgers.map((ledger) => ledger.sync()))
      // snapshots may move on meanwhile
      const [first, ...rest] = ledgers.map(({ seen }) => seen)
      if (rest.some((seen) => seen !== first)) continue
      expect(new Set(ledgers.map(({ state }) => state.digest())).size).to.equal(1)
      return
    }
    expect.fail(`the ledgers never stood still: ${ledgers.map(({ seen }) => seen)}`)
  }

  it('is founded once, however many start at the same time', async () => {
    const ledgers = await Promise.all(Array.from({ length: 5 }, () => open()))
    expect(new Set(ledgers.map(({ epoch }) => epoch)).size).to.equal(1)
    await ledgers[0]!.append(claim(ledgers[0]!, 'i', 'u', { body: 'the job' }))
    await Promise.all(ledgers.map((ledger) => ledger.sync()))
    for (const { state } of ledgers) expect(state.holder('i')).to.include({ uid: 'u', body: 'the job' })
    expect(await ledgers[1]!.taken('i')).to.equal('u')
    expect(await ledgers[1]!.taken('j')).to.equal(undefined)
    await expectSame(...ledgers)
  })

  it('gives each id to one of many claims', async () => {
    const ledgers = await Promise.all(Array.from({ length: 6 }, () => open()))
    const answers = await Promise.all(
      ledgers.flatMap((ledger, l) => Array.from({ length: 50 }, (_, i) => ledger.append(claim(ledger, `id${i}`, `u${l}.${i}`)))),
    )
    expect(answers.filter(({ status }) => status === 'accepted')).to.have.length(50)
    expect(ledgers[0]!.state.counts()).to.deep.equal({ waiting: 50, delayed: 0, active: 0, dead: 0 })
    await expectSame(...ledgers)
  })

  it('lets a message run, be replaced, and tells the former owner', async () => {
    const [a, b] = [await open(), await open()]
    await a.append(claim(a, 'i', 'u'))
    const hand = { uid: 'u', copy: 'u-1', epoch: a.epoch }
    const first = await a.take({ ...hand, tok: 1 }, { usable })
    if (first.type !== 'run') return expect.fail(first.type)
    const second = await b.take({ ...hand, tok: 2 }, { usable })
    expect(second).to.include({ type: 'run', stalled: true }).and.to.have.nested.property('life.crashes', 1)
    expect(await a.append({ type: 'end', uid: 'u', run: first.run })).to.deep.equal({ status: 'refused' })
    expect(await a.take({ ...hand, tok: 1 }, { usable })).to.deep.equal({ type: 'busy' })
    const left = a.left('u')
    await b.append({ type: 'end', uid: 'u', run: second.type === 'run' ? second.run : '' })
    await left
    expect(await b.take({ ...hand, tok: 3 }, { usable })).to.deep.equal({ type: 'drop' })
  })

  it('waits for a message that came before it was made current', async () => {
    const [a, b] = [await open(), await open()]
    await a.append(claim(a, 'i', 'u'))
    const first = await a.take({ uid: 'u', copy: 'u-1', tok: 0, epoch: a.epoch }, { usable })
    const early = b.take({ uid: 'u', copy: 'u-2', tok: 0, epoch: a.epoch }, { usable })
    await a.append({ type: 'again', uid: 'u', run: first.type === 'run' ? first.run : '', copy: 'u-2', attempt: 2 })
    expect(await early)
      .to.include({ type: 'run' })
      .and.to.have.nested.property('life.attempt', 2)
  })

  it('burns a message that never became current', async () => {
    const ledger = await open()
    await ledger.append(claim(ledger, 'i', 'u'))
    const first = await ledger.take({ uid: 'u', copy: 'u-1', tok: 0, epoch: ledger.epoch }, { usable })
    expect(await ledger.take({ uid: 'u', copy: 'u-2', tok: 0, epoch: ledger.epoch }, { usable })).to.deep.equal({ type: 'drop' })
    const run = first.type === 'run' ? first.run : ''
    expect(await ledger.append({ type: 'again', uid: 'u', run, copy: 'u-2', attempt: 2 })).to.deep.equal({ status: 'burned' })
  })

  it('adopts what its producer never claimed, and knows what it cannot know', async () => {
    const ledger = await open({ memory: 100 })
    const { epoch, seen } = ledger
    const hand = { uid: 'u', copy: 'u-1', tok: 0, epoch }
    expect(await ledger.take(hand, { usable })).to.deep.equal({ type: 'unknown' })
    expect(await ledger.take({ ...hand, adopt: claim(ledger, 'i', 'u') }, { usable })).to.include({ type: 'run' })
    const rival = { ...hand, uid: 'v', adopt: claim(ledger, 'i', 'v') }
    expect(await ledger.take(rival, { usable })).to.deep.equal({ type: 'drop' })
    await Promise.all(Array.from({ length: 120 }, () => ledger.sync()))
    const old = { ...hand, uid: 'w', copy: 'w-1', adopt: claim(ledger, 'j', 'w', { seen }) }
    expect(await ledger.take(old, { usable })).to.deep.equal({ type: 'unknown' })
    expect(await ledger.take({ ...old, epoch: 'gone' }, { usable })).to.include({ type: 'run' })
  })

  it('hands a half buried job to whoever receives it', async () => {
    const ledger = await open()
    await ledger.append(claim(ledger, 'i', 'u'))
    const hand = { uid: 'u', copy: 'u-1', tok: 0, epoch: ledger.epoch }
    const first = await ledger.take(hand, { usable })
    const error = { name: 'Error', message: 'no' }
    const run = first.type === 'run' ? first.run : ''
    await ledger.append({ type: 'dead', uid: 'u', run, reason: 'attempts', error })
    expect(await ledger.take(hand, { usable }))
      .to.include({ type: 'bury' })
      .and.to.have.nested.property('dead.error')
      .deep.equal(error)
    await ledger.append({ type: 'buried', uid: 'u', letter: 'l' })
    expect(await ledger.take(hand, { usable })).to.deep.equal({ type: 'drop' })
  })

  it('sends again what a lost connection swallowed, once', async () => {
    const [a, b] = [await open(), await open()]
    for (let round = 0; round < 5; round++) {
      const appended = Array.from({ length: 400 }, (_, i) => a.append(claim(a, `${round}.${i}`, `u${round}.${i}`)))
      const removed = a.append({ type: 'remove', id: `${round}.7` })
      await new Promise((resolve) => setTimeout(resolve, round * 3))
      await clients[0]!.cut()
      for (const answer of await Promise.all(appended)) expect(answer).to.deep.equal({ status: 'accepted' })
      expect(await removed).to.deep.equal({ status: 'removed', uid: `u${round}.7` })
    }
    expect(clients[0]!.told).to.include('up')
    expect(b.state.counts().waiting).to.equal(5 * 399)
    await expectSame(a, b, await open())
  })

  it('notices a ledger that was deleted, says so, and works on', async () => {
    const ledger = await open()
    const { epoch } = ledger
    await ledger.append(claim(ledger, 'i', 'u'))
    await clients[0]!.deleteStream(stream)
    const unsure = await ledger.append(claim(ledger, 'j', 'v')).catch((error: unknown) => error)
    expect(unsure).to.satisfy((answer: object) => 'status' in answer || ('code' in answer && answer.code === 'UNCONFIRMED'))
    expect(await ledger.append(claim(ledger, 'k', 'w'))).to.deep.equal({ status: 'accepted' })
    expect(ledger.epoch).not.to.equal(epoch)
    expect(ledger.state.holder('i')).to.equal(undefined)
    expect(clients[0]!.told.filter((event) => event.startsWith('error'))).to.have.length(1)
  })

  it('notices a ledger that was recreated and is longer than the one it knew', async () => {
    const ledger = await open()
    await ledger.append(claim(ledger, 'i', 'u'))
    const [mine] = clients
    mine!.away = true
    await mine!.cut()
    const other = await (async () => {
      await client().deleteStream(stream)
      return open()
    })()
    for (let i = 0; i < 50; i++) await other.append(claim(other, `other${i}`, `o${i}`))
    mine!.away = false
    expect(await ledger.append({ type: 'remove', id: 'other7' })).to.deep.equal({ status: 'removed', uid: 'o7' })
    expect(ledger.epoch).to.equal(other.epoch)
    await expectSame(ledger, other)
  })

  it('refuses a stream of its name with another size, and a log with newer rules', async () => {
    const ledger = await open()
    const refused = await client()
      .ledger(stream, { retention: 20_000_000 })
      .start()
      .catch((error: unknown) => error)
    expect(refused).to.include({ code: 'SERVER_UNSUITABLE' })
    const channel = await clients[0]!.channel()
    channel.sendToQueue(stream, Buffer.from('no message of ours'))
    await ledger.sync()
    channel.sendToQueue(stream, Buffer.from(JSON.stringify([99, ledger.epoch, 'newer', 1, 0, -1, 0, [['unheard-of']]])))
    await channel.waitForConfirms()
    const stopped = await ledger.sync().catch((error: unknown) => error)
    expect(stopped).to.be.an('error').and.to.have.property('code').that.is.oneOf(['SERVER_UNSUITABLE', 'CLOSED'])
    expect(
      await client()
        .ledger(stream)
        .start()
        .catch((error: unknown) => error),
    ).to.include({ code: 'SERVER_UNSUITABLE' })
  })

  it('ends every wait in time', async () => {
    const ledger = await open()
    clients[0]!.away = true
    await clients[0]!.cut()
    const late = await ledger
      .append({ type: 'remove', id: 'i' }, { signal: AbortSignal.timeout(100) })
      .catch((error: unknown) => error)
    expect(late).to.have.property('code').that.is.oneOf(['UNAVAILABLE', 'UNCONFIRMED'])
    const left = ledger.append({ type: 'remove', id: 'i' }).catch((error: unknown) => error)
    await ledger.close()
    expect(await left).to.include({ code: 'CLOSED' })
    expect(await ledger.sync().catch((error: unknown) => error)).to.include({ code: 'CLOSED' })
  })

  it('keeps every live claim while the log is cut off behind it', async () => {
    const sizes = { retention: 3_000_000, segment: 300_000, memory: 1_000, snapshotEvery: 1_000 }
    const [a, b, sleeper] = [await open(sizes), await open(sizes), await open(sizes)]
    await a.append(claim(a, 'old', 'u', { body: 'kept' }))
    await sleeper.sync()
    clients[2]!.away = true
    await clients[2]!.cut()
    for (let round = 0; round < 60; round++) {
      await Promise.all(
        Array.from({ length: 500 }, async (_, i) => {
          const uid = `${round}.${i}`
          const ledger = i % 2 === 0 ? a : b
          await ledger.append(claim(ledger, uid, uid, { body: 'x'.repeat(100) }))
          await ledger.append({ type: 'remove', id: uid })
          await ledger.append({ type: 'dropped', uid, copy: `${uid}-1` })
        }),
      )
    }
    const first = await firstOffset(clients[0]!, stream)
    expect(first).to.be.greaterThan(0)
    const starter = await open(sizes)
    expect(starter.state.holder('old')).to.include({ uid: 'u', body: 'kept' })
    clients[2]!.away = false
    expect(await sleeper.append(claim(sleeper, 'old', 'v'))).to.deep.equal({ status: 'stale' })
    expect(await sleeper.append(claim(sleeper, 'old', 'v'))).to.deep.equal({ status: 'duplicate', uid: 'u' })
    await expectSame(a, b, sleeper, starter)
    expect(clients.flatMap(({ told }) => told).filter((event) => event.startsWith('error'))).to.deep.equal([])
  })

  it('starts with 100,000 live ids in under two seconds', async () => {
    const writer = await open()
    for (let from = 0; from < 100_000; from += 10_000) {
      await Promise.all(
        Array.from({ length: 10_000 }, (_, i) =>
          writer.append(claim(writer, `order:${from + i}`, crypto.randomUUID(), { body: 'x'.repeat(200) })),
        ),
      )
    }
    const starter = client().ledger(stream)
    const [began, cpu] = [performance.now(), process.cpuUsage()]
    await starter.start()
    const took = performance.now() - began
    const { user, system } = process.cpuUsage(cpu)
    console.log(
      `      ${Math.round(took)} ms, of which ${Math.round((user + system) / 1_000)} ms CPU, at ${starter.seen} entries`,
    )
    expect(starter.state.counts().waiting).to.equal(100_000)
    // the machine may have other work
    expect((user + system) / 1_000).to.be.lessThan(2_000)
    await expectSame(writer, starter)
  })
})

async function firstOffset(client: Client, stream: string): Promise<number> {
  const channel = await client.channel()
  await channel.prefetch(1)
  const { promise, resolve } = Promise.withResolvers<number>()
  await channel.consume(stream, (message) => resolve(Number(message?.properties.headers?.['x-stream-offset'])), {
    arguments: { 'x-stream-offset': 'first' },
  })
  const offset = await promise
  await channel.close()
  return offset
}
