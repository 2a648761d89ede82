import { expect } from 'chai'
import { claim, expectSame, useLedgers } from './ledgers.ts'
import type { Client } from './client.ts'
import type { LedgerOptions } from '../src/ledger/api.ts'
import type { Ledger } from '../src/ledger/ledger.ts'

const usable = (): boolean => true

describe('Ledger', function () {
  this.timeout(30_000)
  const fixture = useLedgers()
  const { clients } = fixture
  const client = (): Client => fixture.client()
  const open = (options?: Partial<LedgerOptions>): Promise<Ledger> => fixture.open(options)

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
    await expectSame(a, b, await open())
    expect(b.state.counts().waiting).to.equal(5 * 399)
  })

  it('notices a ledger that was deleted, says so, and works on', async () => {
    const ledger = await open()
    const { epoch } = ledger
    await ledger.append(claim(ledger, 'i', 'u'))
    await clients[0]!.deleteStream(fixture.stream)
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
      await client().deleteStream(fixture.stream)
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
      .ledger(fixture.stream, { retention: 20_000_000 })
      .start()
      .catch((error: unknown) => error)
    expect(refused).to.include({ code: 'SERVER_UNSUITABLE' })
    const channel = await clients[0]!.channel()
    channel.sendToQueue(fixture.stream, Buffer.from('no message of ours'))
    await ledger.sync()
    channel.sendToQueue(fixture.stream, Buffer.from(JSON.stringify([99, ledger.epoch, 'newer', 1, 0, -1, 0, [['unheard-of']]])))
    await channel.waitForConfirms()
    const stopped = await ledger.sync().catch((error: unknown) => error)
    expect(stopped).to.be.an('error').and.to.have.property('code').that.is.oneOf(['SERVER_UNSUITABLE', 'CLOSED'])
    expect(
      await client()
        .ledger(fixture.stream)
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
})
