import { replay } from '@jobport/conformance'
import { createDriver } from '@jobport/adapter-rabbitmq'

const url = process.env['RABBITMQ_URL'] ?? 'amqp://127.0.0.1:5672'

describe('RabbitMQ, histories that went wrong', function () {
  this.timeout(60_000)

  it('a worker that has just stopped is counted no more', () =>
    replay(
      () => createDriver(`${url}?heartbeat=2000`),
      [
        { do: 'work', queue: 0, via: 0, concurrency: 1 },
        { do: 'stop', worker: 0 },
      ],
    ))

  it('a queue that is dropped under its worker is worked on', () =>
    replay(
      () => createDriver(`${url}?heartbeat=2000`),
      [
        { do: 'work', queue: 0, via: 0, concurrency: 1 },
        { do: 'drop', queue: 0, via: 1 },
        { do: 'add', queue: 0, via: 1, jobs: [{ name: 'job' }] },
      ],
    ))
})
