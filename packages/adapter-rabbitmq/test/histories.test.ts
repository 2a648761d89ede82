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

  it('a job that was given up is counted while it is kept from its queue', () =>
    replay(
      () => createDriver(`${url}?heartbeat=2000`),
      [
        { do: 'addMany', queue: 0, via: 0, jobs: [{ name: 'job', id: 'a' }, { name: 'job' }] },
        { do: 'work', queue: 0, via: 0, concurrency: 1 },
        { do: 'lose', run: 0 },
      ],
    ))

  it('a job that is delivered beyond the slots is counted', () =>
    replay(
      () => createDriver(`${url}?heartbeat=2000`),
      [
        { do: 'add', queue: 0, via: 0, jobs: [{ name: 'job' }] },
        { do: 'work', queue: 0, via: 0, concurrency: 1 },
        { do: 'add', queue: 0, via: 1, jobs: [{ name: 'job', id: 'd' }] },
        { do: 'pause', queue: 0, via: 1 },
        { do: 'resume', queue: 0, via: 1 },
      ],
    ))

  it('jobs are added with and without a delay to a queue that another connection has dropped', () =>
    replay(
      () => createDriver(`${url}?heartbeat=2000`),
      [
        { do: 'add', queue: 0, via: 1, jobs: [{ name: 'job', delay: 300 }] },
        { do: 'drop', queue: 0, via: 0 },
        {
          do: 'addMany',
          queue: 0,
          via: 1,
          jobs: [{ name: 'job', id: 'a', delay: 300 }, { name: 'job' }, { name: 'job', id: 'b' }],
        },
      ],
    ))
})
