import type { Message } from '@jobport/core/driver'
import type { Message as NativeMessage } from 'amqplib'
import { expect } from 'chai'
import { fromWire, toWire } from '../src/mapping.ts'

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

  function readBack(sent: Message): Message {
    const { content, properties } = toWire(sent, PLAIN)
    return fromWire({ content, properties, fields: {} } as unknown as NativeMessage).message
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
})
