import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { MemoryDriver, VirtualClock } from '@jobport/adapter-memory'
import type { Driver, Message } from '@jobport/core/driver'
import { Difference } from '../src/model/difference.ts'
import { explore, replay } from '../src/model/explore.ts'
import { settling, tamper, tamperAdmin } from '../src/tamper.ts'

/** The embedded broker on a clock that stands still until it is moved; `wrap` may spoil its drivers. */
function virtual(wrap: (driver: Driver) => Driver = (driver) => driver): { createDriver: () => Driver; clock: VirtualClock } {
  const clock = new VirtualClock()
  const store = randomUUID()
  return { createDriver: () => wrap(new MemoryDriver({ store, clock })), clock }
}

const NAMES = [['orders', 'orders-more']] as const

/** Drivers that each break one promise, and what the model says of them. */
const FLAWS: readonly { readonly name: string; readonly says: RegExp; readonly wrap: (driver: Driver) => Driver }[] = [
  {
    name: 'loses the priority',
    says: /priority/,
    wrap: (driver) => storing(driver, ({ priority: _, ...message }) => message),
  },
  {
    name: 'takes priority 9 for 8',
    says: /priority/,
    wrap: (driver) => storing(driver, (message) => (message.priority === 9 ? { ...message, priority: 8 } : message)),
  },
  {
    name: 'starts at once what is to wait 2 … 25 ms',
    says: /delayed is 0|due time|dueAt/,
    wrap: (driver) =>
      storing(driver, ({ delay, ...message }) => (delay === undefined || delay <= 25 ? message : { ...message, delay })),
  },
  {
    name: 'waits an hour at most before a retry',
    says: /dueAt|due time/,
    wrap: (driver) =>
      tamper(driver, {
        deliver: (receive, delivery) =>
          receive(
            settling(delivery, (outcome) =>
              delivery.settle(outcome.type === 'again' ? { ...outcome, delay: Math.min(outcome.delay, 3_600_000) } : outcome),
            ),
          ),
      }),
  },
  {
    name: 'counts a redrive as a crash more in what it shows',
    says: /crashes is 1/,
    wrap: (driver) =>
      tamper(driver, {
        admin: (honest) =>
          tamperAdmin(honest, {
            get: async (id, scope) => {
              const job = await honest.get(id, scope)
              return job && scope === 'live' && job.message.uid !== job.message.id ? { ...job, crashes: job.crashes + 1 } : job
            },
          }),
      }),
  },
  {
    name: 'answers no cursor if but one job is left',
    says: /uids/,
    wrap: (driver) =>
      tamper(driver, {
        admin: (honest) =>
          tamperAdmin(honest, {
            list: async (state, page) => {
              const { jobs, cursor } = await honest.list(state, page)
              const rest = cursor === undefined ? [] : (await honest.list(state, { limit: 2, cursor })).jobs
              return { jobs, ...(rest.length > 1 && { cursor: cursor! }) }
            },
          }),
      }),
  },
  {
    name: 'forgets a pause',
    says: /paused/,
    wrap: (driver) => tamper(driver, { admin: (honest) => tamperAdmin(honest, { pause: async () => {} }) }),
  },
  {
    name: 'purges nothing that is delayed',
    says: /purge/,
    wrap: (driver) =>
      tamper(driver, {
        admin: (honest) =>
          tamperAdmin(honest, {
            purge: async (scope) => {
              const { delayed } = await honest.counts()
              return scope === 'live' && delayed > 0 ? 0 : honest.purge(scope)
            },
          }),
      }),
  },
]

describe('the model of a queue', function () {
  this.timeout(180_000)

  it('agrees with core on the embedded broker, in virtual time', async () => {
    const { steps } = await explore({ ...virtual(), names: NAMES, seed: drawn(), sequences: 60 })
    expect(steps).to.be.at.least(1_000)
  })

  it('agrees with core on the embedded broker, in real time', async () => {
    const store = randomUUID()
    const createDriver = (): Driver => new MemoryDriver({ store })
    const names = Array.from({ length: 8 }, (_, i) => [`orders-${i}`, `orders-${i}-more`] as const)
    expect(await explore({ createDriver, names, seed: drawn(), sequences: 16 })).to.include({ sequences: 16 })
  })

  for (const { name, says, wrap } of FLAWS) {
    it(`catches a driver that ${name}`, async () => {
      const difference = await explore({ ...virtual(wrap), names: NAMES, seed: 1, sequences: 200 }).then(
        () => undefined,
        (error: unknown) => error,
      )
      expect(difference).to.be.instanceOf(Difference)
      expect((difference as Difference).message).to.match(says)
    })
  }

  it('catches a driver that has two live jobs of one id, and names the holder', async () => {
    const { createDriver, clock } = virtual((driver) =>
      tamper(driver, { publish: async (honest, ...args) => (await honest(...args)).map(() => ({ status: 'added' })) }),
    )
    const twice = { do: 'add', queue: 0, via: 0, jobs: [{ name: 'job', id: 'a' }] } as const
    const difference = await replay(createDriver, [twice, twice], clock).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect((difference as Difference).message).to.match(/add of a answered added, and the live job/)
  })

  it('plays one history again, as a failure shows it', async () => {
    const steps = [
      { do: 'pause', queue: 0, via: 0 },
      { do: 'add', queue: 0, via: 1, jobs: [{ name: 'job', id: 'a', delay: 25 }] },
      { do: 'work', queue: 0, via: 0, concurrency: 1 },
      { do: 'pass', ms: 25 },
      { do: 'resume', queue: 0, via: 1 },
      { do: 'end', run: 0, end: { how: 'throw' } },
      { do: 'redrive', queue: 0, via: 0, id: 0 },
      { do: 'lose', run: 0 },
      { do: 'end', run: 0, end: { how: 'return' } },
    ] as const
    const { createDriver, clock } = virtual()
    await replay(createDriver, steps, clock)
  })
})

function storing(driver: Driver, change: (message: Message) => Message): Driver {
  return tamper(driver, { publish: (honest, queue, messages, options) => honest(queue, messages.map(change), options) })
}

function drawn(): number {
  return Math.floor(Math.random() * 2 ** 31)
}
