import { openBroker } from '@jobport/brokers'
import type { JobportError, Message } from '@jobport/core/driver'
import { expect } from 'chai'
import { Boaster } from './boaster.ts'
import { Hand } from './hand.ts'
import { ERROR, largest } from './largest.ts'
import { eventually, Trial } from './trial.ts'

/** Names that mean something to the server, or to us, and values that do not survive everything. */
const TELLING: Record<string, string> = {
  ...Object.fromEntries(
    [
      'nats-msg-id',
      'nats-expected-stream',
      'nats-expected-last-subject-sequence',
      'nats-rollup',
      'nats-ttl',
      'nats-schedule',
      'nats-schedule-target',
      'nats-batch-id',
      'status',
      'description',
      'jobport',
      'uid',
    ].map((name) => [name, 'sub']),
  ),
  blanks: '  both ends\u00a0 ',
  empty: '',
  colon: 'Nats-TTL: 1s',
  foreign: 'é 漢字 😀 \u2028',
  '-': '-',
  '0': '0',
}

describe('NATS, sizes and headers', function () {
  this.timeout(30_000)
  let trial: Trial
  let hand: Hand

  beforeEach(async () => {
    trial = new Trial()
    hand = await Hand.open(trial.url, trial.name, { ackWait: 10_000 })
  })

  afterEach(async () => {
    await hand.close()
    await trial.close()
  })

  it('all that core lets through at its largest fits, on every path', async () => {
    await largest(hand, trial.name)
  })

  it('a handler that returns or throws more than the server takes runs once, and its job ends', async () => {
    const broker = trial.broker()
    const ran: string[] = []
    const ends: string[] = []
    const worker = await trial.worker(broker, ({ name }) => {
      ran.push(name)
      if (name === 'returns') return 'x'.repeat(1_100_000)
      throw Object.assign(new Error('\u0001'.repeat(100_000)), { name: '\u0001'.repeat(1_000), stack: '\u0001'.repeat(100_000) })
    })
    worker
      .on('completed', ({ name }) => ends.push(`${name} completed`))
      .on('dead', ({ name }, _, reason) => ends.push(`${name} dead of ${reason}`))
    for (const name of ['returns', 'throws'])
      await broker.queue(trial.name).add(name, 1, { headers: { long: '"'.repeat(4_096) } })
    await eventually(
      'both ends',
      () => ends.length === 2,
      () => [ran, ends, trial.errors.map(String)],
    )
    expect(ends).to.have.members(['returns completed', 'throws dead of attempts'])
    expect(ran).to.have.members(['returns', 'throws'])
    expect(trial.errors).to.have.length(1)
    expect(await broker.queue(trial.name).counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 1 })
  })

  it('headers arrive as they were given, on every path, and tell the server nothing', async () => {
    const admin = hand.driver.admin(trial.name)
    const seen: Message['headers'][] = []
    await hand.consume(1)
    for (const fields of [{}, { delay: 1 }, { priority: 3 }]) {
      expect(await hand.publish({ id: 'x', headers: TELLING, attempts: 3, ...fields })).to.deep.equal({ status: 'added' })
      const first = await hand.take()
      await first.settle({ type: 'again', delay: 1, attempt: 2, error: ERROR })
      const second = await hand.take()
      await second.settle({ type: 'again', delay: 0, attempt: 3, error: ERROR })
      const third = await hand.take()
      seen.push(...[first, second, third].map(({ message }) => message.headers))
      await third.settle({ type: 'dead', reason: 'attempts', error: ERROR })
      const letter = (await admin.get('x', 'dead'))!
      seen.push(letter.message.headers)
      await admin.redrive(letter.message.uid, { uid: `again-${letter.message.uid}` })
      const again = await hand.take()
      seen.push(again.message.headers)
      await again.settle({ type: 'complete', result: null })
    }
    for (const headers of seen) expect(headers).to.deep.equal(TELLING)
    expect(seen).to.have.length(15)
    expect(await admin.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
  })

  it('what another program writes, with any uid, ends as any job', async () => {
    const { connection } = await trial.plain()
    await hand.publish()
    await hand.consume(1)
    await (await hand.take()).settle({ type: 'complete', result: null })
    for (const uid of ['a\r\nNats-TTL: 1s', ' ', '漢字', 'x'.repeat(100_000), '*', 5]) {
      await connection.request(`jobport.${trial.name}.w.0.plain.1`, JSON.stringify({ name: 'plain', uid }))
      const first = await hand.take()
      await first.settle({ type: 'again', delay: 1, attempt: 2, error: ERROR })
      const second = await hand.take()
      expect(second.message.uid).to.equal(first.message.uid)
      await second.settle({ type: 'dead', reason: 'attempts', error: ERROR })
      expect(await hand.driver.admin(trial.name).redrive(second.message.uid, { uid: 'new' })).to.equal('redriven')
      await (await hand.take()).settle({ type: 'complete', result: null })
    }
  })

  it('a server that takes less than it said refuses, and nothing is tried for ever', async () => {
    const small = await openBroker('nats', { settings: { max_payload: '200KB' } })
    const boaster = await Boaster.open(small.url)
    const visitor = await Hand.open(boaster.url, trial.name, { ackWait: 10_000 })
    try {
      const facts = () => visitor.driver.connect({ down: () => {}, up: () => {}, error: () => {} })
      expect((await facts()).maxPayload).to.be.above(1_000_000)
      await visitor.publish({ id: 'small' })
      await visitor.consume(1)
      const delivery = await visitor.take()
      const settle = (result: string): Promise<string> =>
        delivery.settle({ type: 'complete', result }).then(
          () => 'settled',
          ({ code }: JobportError) => code,
        )
      expect(await settle('x'.repeat(500_000))).to.equal('REJECTED')
      expect(boaster.told).to.equal(2)
      expect((await facts()).maxPayload).to.equal(200 * 1_024 - 98_304)
      expect(await visitor.publish({ data: 'x'.repeat(500_000) })).to.deep.include({ status: 'rejected' })
      expect(await settle('x')).to.equal('settled')
      expect(boaster.told).to.equal(2)
    } finally {
      await visitor.close()
      boaster.close()
      await small.close()
    }
  })
})
