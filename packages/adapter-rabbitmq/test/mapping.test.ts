import type { Message } from '@jobport/core/driver'
import type { Message as NativeMessage } from 'amqplib'
import { expect } from 'chai'
import { copyOf, fromWire, toWire, type Travel } from '../src/mapping.ts'
import { copyIn, type Wire } from '../src/wire.ts'

const PLAIN = { attempt: 1, crashes: 0 }
const UID = '019a0000-1234-7abc-8def-0123456789ab'

describe('RabbitMQ messages', () => {
  const message: Message = {
    version: 1,
    id: UID,
    uid: UID,
    name: 'a',
    data: { n: 1 },
    headers: {},
    addedAt: 0x019a_0000_1234,
    attempts: 1,
  }

  function received({ content, properties }: Pick<Wire, 'content' | 'properties'>): NativeMessage {
    return { content, properties, fields: {} } as unknown as NativeMessage
  }

  function readBack(sent: Message): Message {
    return fromWire(received(toWire(sent, PLAIN))).message
  }

  it('carry no headers where all is as usual, and are read back whole', () => {
    expect(toWire(message, PLAIN).properties.headers).to.equal(undefined)
    expect(readBack(message)).to.deep.equal(message)
    expect(readBack({ ...message, priority: 3 })).to.deep.equal({ ...message, priority: 3 })
  })

  it('carry whatever is not as usual, and are read back whole', () => {
    const unusual: Partial<Message>[] = [
      { id: 'order-42' },
      { attempts: 3 },
      { addedAt: message.addedAt + 1 },
      { backoff: { type: 'fixed', delay: 5 } },
      { timeout: 1_000 },
      { delay: 10 },
      { id: 'order-42', dedup: { ttl: 60_000 } },
      { headers: { trace: 'x', 'x-mine': 'y' } },
    ]
    for (const change of unusual) expect(readBack({ ...message, ...change })).to.deep.equal({ ...message, ...change })
  })

  it('carry fields of a later version', () => {
    const { properties } = toWire({ ...message, later: 'kept' } as Message, PLAIN)
    expect(JSON.parse(String(properties.headers['jobport']))).to.include({ later: 'kept', version: 1 })
  })

  it('carry the mark of the ledger without headers', () => {
    const sent = { ...message, id: 'order-42' }
    const travel: Travel = { ...PLAIN, ledger: { epoch: 'e1', seen: 7, first: true } }
    const wire = toWire(sent, travel)
    expect(wire.properties).to.include({ messageId: UID, correlationId: 'order-42' }).and.not.to.have.property('headers')
    expect(copyIn(wire.properties)).to.equal(wire.copy)
    expect(fromWire(received(wire))).to.deep.equal({ message: sent, travel, copy: wire.copy, anonymous: false })
  })

  it('carry where they were redriven from', () => {
    const travel: Travel = {
      ...PLAIN,
      ledger: { epoch: 'e1', seen: 7, first: true },
      from: { uid: 'u', letter: 'l' },
    }
    expect(fromWire(received(toWire(message, travel))).travel).to.deep.equal(travel)
  })

  it('are copied under another name, for another run', () => {
    const first = toWire({ ...message, id: 'order-42', attempts: 3 }, { ...PLAIN, ledger: { epoch: 'e1', seen: 7, first: true } })
    const before = fromWire(received(first))
    const travel: Travel = { attempt: 2, crashes: 1, ledger: { epoch: 'e1', seen: 9, first: false } }
    const copy = copyOf(received(first), before, travel)
    expect(copy.copy).not.to.equal(first.copy)
    expect(fromWire(received(copy))).to.deep.equal({ ...before, travel, copy: copy.copy })
  })

  it('are copied as they are if a later version wrote them', () => {
    const later = { ...toWire({ ...message, id: 'order-42' }, PLAIN).properties, appId: 'jobport/7' }
    const raw = received({ content: Buffer.from('?'), properties: later })
    const reading = fromWire(raw)
    expect(reading.invalid).to.include({ name: 'JobportError' })
    const { properties, content, copy } = copyOf(raw, reading, { attempt: 1, crashes: 1 })
    expect(properties).to.include({ appId: `jobport/7 ${copy} 1 1`, correlationId: 'order-42', messageId: UID })
    expect(content.toString()).to.equal('?')
  })

  it('are read as an earlier version wrote them, with their marks in headers, and lose these when copied', () => {
    const headers = {
      jobport: JSON.stringify({ version: 1, id: 'order-42', addedAt: message.addedAt, attempts: 3 }),
      'jobport-copy': 'c1',
      'jobport-attempt': 2,
      'jobport-crashes': 1,
      'jobport-epoch': 'e1',
      'jobport-seen': 7,
      'jobport-first': true,
    }
    const properties = { type: 'a', messageId: UID, appId: 'jobport/1', priority: 9, headers }
    const raw = received({ content: Buffer.from('{"n":1}'), properties })
    const reading = fromWire(raw)
    const ledger = { epoch: 'e1', seen: 7, first: true }
    expect(reading).to.deep.equal({
      message: { ...message, id: 'order-42', attempts: 3 },
      travel: { attempt: 2, crashes: 1, ledger },
      copy: 'c1',
      anonymous: false,
    })
    const travel: Travel = { attempt: 3, crashes: 1, ledger: { ...ledger, first: false } }
    const copy = copyOf(raw, reading, travel)
    expect(Object.keys(copy.properties.headers as object)).to.deep.equal(['jobport'])
    expect(fromWire(received(copy))).to.deep.equal({ ...reading, travel, copy: copy.copy })
  })

  it('of other clients are copied with what was read', () => {
    const raw = received({ content: Buffer.from('{"n":1}'), properties: { type: 'a', messageId: 'm', correlationId: 'theirs' } })
    const reading = fromWire(raw)
    expect(reading.message).to.include({ id: 'm', uid: 'm', name: 'a' })
    const copy = copyOf(raw, reading, { attempt: 2, crashes: 0 })
    expect(fromWire(received(copy))).to.deep.equal({ ...reading, travel: { attempt: 2, crashes: 0 }, copy: copy.copy })
  })
})
