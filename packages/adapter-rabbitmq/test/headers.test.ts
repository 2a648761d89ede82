import { expect } from 'chai'
import { Hands } from './hands.ts'
import { Trial } from './trial.ts'
import { copyOf, fromWire, toWire, type DeadNote } from '../src/mapping.ts'
import { LARGEST_TABLE, sizeOf } from '../src/headers.ts'
import type { Message } from '@jobport/core/driver'
import type { Message as NativeMessage } from 'amqplib'

/** Core lets no more through: bytes of names and values together, and how many. */
const MOST = 32_768
const COUNT = 64
/** Names that RabbitMQ, AMQP, JavaScript or we know. */
const NAMES = [
  'jobport',
  'x-delay',
  'x-death',
  'x-delivery-count',
  'x-acquired-count',
  'x-first-death-queue',
  'x-match',
  'x-stream-offset',
  'x-opt-delivery-time',
  'x-',
  'x',
  '-',
  'cc',
  'bcc',
  'expiration',
  'priority',
  'message-id',
  'delivery-mode',
  'constructor',
  'tostring',
  'hasownproperty',
  '0',
]
const LONG_NAME = '漢'.repeat(100)

/** As large as they may be. */
function fullHeaders(): Record<string, string> {
  const names = [...NAMES, ...Array.from({ length: COUNT - NAMES.length }, (_, i) => `h-${i}-`.padEnd(i === 0 ? 64 : 40, 'n'))]
  const left = MOST - names.reduce((sum, name) => sum + name.length, 0)
  const each = Math.floor(left / names.length)
  return Object.fromEntries(
    names.map((name, i) => [name, '漢'.repeat(Math.floor(each / 3)) + (i === 0 ? 'x'.repeat(left % names.length) : '')]),
  )
}

/** As large as core makes it: 4,096 bytes of message and 16,384 of stack, as JSON. */
const FULL_ERROR = { name: 'n'.repeat(254), message: '漢'.repeat(1_364), stack: '\u0001'.repeat(2_730) }

describe('RabbitMQ headers', function () {
  this.timeout(60_000)

  const message: Message = {
    version: 1,
    id: 'order-42',
    uid: '019a0000-1234-7abc-8def-0123456789ab',
    name: LONG_NAME,
    data: { n: 1 },
    headers: fullHeaders(),
    addedAt: 5,
    attempts: 3,
    backoff: { type: 'exponential', delay: 1.123456789012345, max: 1.123456789012345, jitter: 0.123456789012345 },
    timeout: 2 ** 31 - 1,
    delay: 1_234.567890123456,
    dedup: { ttl: 123_456.7890123456 },
  }

  function received({ content, properties }: Pick<NativeMessage, 'content'> & { properties: object }): NativeMessage {
    return { content, properties, fields: {} } as unknown as NativeMessage
  }

  function note(error: DeadNote['error']): DeadNote {
    return { reason: 'unrecoverable', error, at: Date.now(), letter: '1'.repeat(35) }
  }

  it('as large as they may be fit beside an error as large as it may be', () => {
    const from = { uid: 'u'.repeat(36), letter: '1'.repeat(35) }
    const first = toWire(message, { attempt: 1, crashes: 0, from })
    const reading = fromWire(received(first))
    expect(reading.message).to.deep.equal(message)
    const copy = copyOf(received(first), reading, { attempt: 3, crashes: 2, from }, note(FULL_ERROR))
    expect(sizeOf(copy.properties.headers ?? {})).to.be.below(LARGEST_TABLE)
    const { message: copied, dead } = fromWire(received(copy))
    expect(copied).to.deep.equal(message)
    expect(dead!.error).to.deep.equal(FULL_ERROR)
  })

  it('leave of an error what finds room', () => {
    const first = toWire(message, { attempt: 1, crashes: 0 })
    const reading = fromWire(received(first))
    const huge = { name: 'Error', message: '漢'.repeat(20_000), stack: '\0'.repeat(20_000) }
    const { properties } = copyOf(received(first), reading, { attempt: 1, crashes: 0 }, note(huge))
    expect(sizeOf(properties.headers ?? {})).to.be.within(40_000, LARGEST_TABLE)
    const error = JSON.parse(String(properties.headers!['jobport-error'])) as { readonly message: string }
    expect(huge.message.startsWith(error.message)).to.equal(true)
    expect(error.message).not.to.equal('')
  })

  it('of other clients are copied as far as AMQP can write them and they find room', () => {
    const foreign = {
      ok: 'kept',
      'x-death': [{ reason: 'expired' }],
      CC: ['elsewhere'],
      nan: Number.NaN,
      late: { '!': 'timestamp', value: 2 ** 60 },
      when: { '!': 'timestamp', value: 5 },
      nested: { list: [1, true, null, Buffer.from('b')], price: { '!': 'decimal', value: { places: 2, digits: 5 } } },
      Large: 'L'.repeat(64_000),
    }
    const raw = received({
      content: Buffer.from('1'),
      properties: { type: 'a', messageId: 'm', timestamp: 2 ** 63, headers: foreign },
    })
    const reading = fromWire(raw)
    expect(reading.message).to.deep.include({ name: 'a', headers: { ok: 'kept' } })
    const { headers, ...properties } = copyOf(raw, reading, { attempt: 1, crashes: 0 }, note(FULL_ERROR)).properties
    expect(headers).to.include.keys('ok', 'when', 'nested').and.not.to.include.keys('x-death', 'CC', 'nan', 'late', 'Large')
    expect(properties).not.to.have.property('timestamp')
  })

  for (const [kind, id] of [
    ['that only its queue knows', undefined],
    ['of the ledger', 'order-42'],
  ] as const) {
    it(`arrive unchanged by every way that a job can go: one ${kind}`, async () => {
      const hands = new Hands()
      try {
        await hands.consume(1)
        const headers = fullHeaders()
        const expectWhole = (delivered: Message): void => {
          expect(delivered.headers).to.deep.equal(headers)
          expect(delivered.name).to.equal(LONG_NAME)
        }
        await hands.add({ headers, name: LONG_NAME, attempts: 5, delay: 40, ...(id !== undefined && { id }) })
        const added = await hands.next('the job')
        expectWhole(added.message)
        await added.settle({ type: 'again', delay: 30, attempt: 2, error: FULL_ERROR })
        const later = await hands.next('the retry')
        expectWhole(later.message)
        await later.settle({ type: 'again', delay: 0, attempt: 3, error: FULL_ERROR })
        const again = await hands.next('the second retry')
        expectWhole(again.message)
        await again.settle({ type: 'release' })
        const released = await hands.next('the job that was released')
        expectWhole(released.message)
        released.abandon()
        const crashed = await hands.next('the job that was given up')
        expect(crashed).to.include({ crashes: 1, attempt: 3 })
        await crashed.settle({ type: 'dead', reason: 'unrecoverable', error: FULL_ERROR })
        const [letter] = (await hands.admin.list('dead', { limit: 10 })).jobs
        expectWhole(letter!.message)
        expect(letter!.dead).to.deep.include({ reason: 'unrecoverable', error: FULL_ERROR })
        expect(await hands.admin.redrive(letter!.message.uid, { uid: crypto.randomUUID() })).to.equal('redriven')
        const redriven = await hands.next('the job that was redriven')
        expectWhole(redriven.message)
        expect(redriven).to.include({ crashes: 0, attempt: 1 })
        await redriven.settle({ type: 'dead', reason: 'attempts', error: FULL_ERROR })
        expect((await hands.admin.list('dead', { limit: 10 })).jobs).to.have.lengthOf(1)
      } finally {
        await hands.close()
      }
    })
  }

  it('of another client that leave no room for more have its job die, and hold up no other', async () => {
    const trial = new Trial()
    try {
      const broker = trial.broker()
      const ran: unknown[] = []
      await trial.worker(broker, ({ data }) => void ran.push(data))
      const channel = await trial.channel()
      const headers = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`h-${i}`, 'x'.repeat(4_300)]))
      channel.sendToQueue(trial.work, Buffer.from('0'), { type: 'a', messageId: 'large', headers, persistent: true })
      channel.sendToQueue(trial.work, Buffer.from('1'), { type: 'a', messageId: 'next', persistent: true })
      await channel.waitForConfirms()
      const queue = broker.queue(trial.name)
      for (const end = Date.now() + 10_000; Date.now() < end && (await queue.counts()).dead === 0; );
      const letter = await queue.deadLetters.get('large')
      expect(letter).to.include({ reason: 'invalid' })
      expect(letter!.error!.message).to.match(/its headers take 6\d+ bytes, more than 40000/)
      expect(ran).to.deep.equal([1])
    } finally {
      await trial.close()
    }
  })
})
