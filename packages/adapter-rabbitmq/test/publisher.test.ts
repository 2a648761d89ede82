import { randomBytes, randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { Link } from '../src/link.ts'
import { toWire } from '../src/mapping.ts'
import { Publisher } from '../src/publisher.ts'
import { readSettings } from '../src/settings.ts'
import type { Wire } from '../src/wire.ts'

const ROUNDS = 50

describe('RabbitMQ, a message for an exchange that is gone', function () {
  this.timeout(30_000)

  it('leaves no doubt about what is on its way to queues, there or gone', async () => {
    const link = new Link(readSettings(process.env['RABBITMQ_URL'] ?? 'amqp://127.0.0.1:5672'), 'publish', {
      up: () => {},
      down: () => {},
      error: () => {},
    })
    await link.open()
    const channel = await link.channel()
    const { queue } = await channel.assertQueue('', { exclusive: true })
    try {
      const publisher = new Publisher(link)
      const gone = `gone-${randomBytes(5).toString('hex')}`
      for (let i = 0; i < ROUNDS; i++) {
        const routes = [
          { exchange: '', key: queue },
          { exchange: '', key: gone },
          { exchange: gone, key: '' },
          { exchange: '', key: queue },
        ]
        const sent = await Promise.all(routes.map((route) => publisher.send(route, wire())))
        expect(sent.map(({ status }) => status)).to.deep.equal(['added', 'returned', 'returned', 'added'])
      }
    } finally {
      await link.close()
    }
  })
})

function wire(): Wire {
  const id = randomUUID()
  const message = { version: 1, id, uid: id, name: 'job', data: null, headers: {}, addedAt: Date.now(), attempts: 1 }
  return toWire(message, { attempt: 1, crashes: 0 })
}
