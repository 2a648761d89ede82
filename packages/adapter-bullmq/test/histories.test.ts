import { replay, type Step } from '@jobport/conformance'
import { BullMQDriver } from '@jobport/adapter-bullmq'
import { QUICK, STORES } from './both.ts'

const HELD: readonly Step[] = [
  { do: 'addMany', queue: 0, via: 0, jobs: [{ name: 'job' }, { name: 'job' }, { name: 'job' }, { name: 'job' }] },
  { do: 'work', queue: 0, via: 0, concurrency: 3 },
]
/** Takes one at a time, so that the order shows. */
const REST: readonly Step[] = [
  { do: 'work', queue: 0, via: 1, concurrency: 1 },
  ...Array.from({ length: 4 }, () => ({ do: 'end', run: 0, end: { how: 'return' } }) as const),
]

for (const { store, url } of STORES)
  describe(`BullMQ on ${store}, histories that went wrong`, function () {
    this.timeout(60_000)
    const createDriver = (): BullMQDriver => new BullMQDriver({ url, ...QUICK })

    it('jobs that a worker gives back as it stops come again in their order', () =>
      replay(createDriver, [...HELD, { do: 'stop', worker: 0 }, ...REST]))

    it('a worker that has just stopped is counted no more', () =>
      replay(createDriver, [
        { do: 'work', queue: 0, via: 0, concurrency: 1 },
        { do: 'work', queue: 1, via: 0, concurrency: 3 },
        { do: 'stop', worker: 1 },
        { do: 'stop', worker: 0 },
      ]))

    it('a lost job comes again where its priority belongs', () =>
      replay(createDriver, [
        { do: 'add', queue: 0, via: 0, jobs: [{ name: 'job', id: 'a', priority: 7 }] },
        { do: 'work', queue: 0, via: 0, concurrency: 1 },
        { do: 'addMany', queue: 0, via: 0, jobs: [{ name: 'job' }, { name: 'job', priority: 5 }, { name: 'job', priority: 7 }] },
        { do: 'pause', queue: 0, via: 0 },
        { do: 'lose', run: 0 },
        { do: 'resume', queue: 0, via: 0 },
        ...Array.from({ length: 4 }, () => ({ do: 'end', run: 0, end: { how: 'return' } }) as const),
      ]))

    it('jobs that a driver hands back as it closes come again in their order', () =>
      replay(createDriver, [...HELD, { do: 'disconnect', via: 0 }, ...REST]))
  })
