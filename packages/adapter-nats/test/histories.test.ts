import { replay } from '@jobport/conformance'
import { createDriver } from '@jobport/adapter-nats'

const url = process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222'

describe('NATS, histories that went wrong', function () {
  this.timeout(60_000)

  it('a queue that another connection has dropped takes a job of a priority that is new to it', () =>
    replay(
      () => createDriver(`${url}?ackWait=1500`),
      [
        { do: 'add', queue: 0, via: 1, jobs: [{ name: 'job' }] },
        { do: 'drop', queue: 0, via: 0 },
        { do: 'add', queue: 0, via: 1, jobs: [{ name: 'job', priority: 8 }] },
      ],
    ))

  it('a queue that another connection has dropped can be paused', () =>
    replay(
      () => createDriver(`${url}?ackWait=1500`),
      [
        { do: 'add', queue: 0, via: 0, jobs: [{ name: 'job' }] },
        { do: 'drop', queue: 0, via: 1 },
        { do: 'pause', queue: 0, via: 0 },
      ],
    ))

  it('jobs that a worker gives back at once, as it stops without waiting, come again in their order', () =>
    replay(
      () => createDriver(`${url}?ackWait=1500`),
      [
        { do: 'addMany', queue: 0, via: 0, jobs: [{ name: 'job' }, { name: 'job' }, { name: 'job' }] },
        { do: 'work', queue: 0, via: 0, concurrency: 5 },
        { do: 'stop', worker: 0 },
        { do: 'work', queue: 0, via: 1, concurrency: 1 },
      ],
    ))

  it('priorities that a connection knew before another dropped the queue are worked', () =>
    replay(
      () => createDriver(`${url}?ackWait=1500`),
      [
        { do: 'addMany', queue: 0, via: 1, jobs: [{ name: 'job', priority: 9 }, { name: 'job', priority: 2 }, { name: 'job' }] },
        { do: 'drop', queue: 0, via: 0 },
        { do: 'add', queue: 0, via: 0, jobs: [{ name: 'job' }] },
        {
          do: 'addMany',
          queue: 0,
          via: 1,
          jobs: [
            { name: 'job', priority: 9 },
            { name: 'job', priority: 2 },
          ],
        },
        { do: 'work', queue: 0, via: 0, concurrency: 3 },
      ],
    ))

  it('a priority whose consumer another connection has dropped is worked all the same', () =>
    replay(
      () => createDriver(`${url}?ackWait=1500`),
      [
        { do: 'add', queue: 0, via: 1, jobs: [{ name: 'job', priority: 5 }] },
        { do: 'drop', queue: 0, via: 0 },
        { do: 'add', queue: 0, via: 0, jobs: [{ name: 'job' }] },
        { do: 'add', queue: 0, via: 1, jobs: [{ name: 'job', priority: 5 }] },
        { do: 'work', queue: 0, via: 0, concurrency: 2 },
      ],
    ))
})
