import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { MemoryDriver, openVirtual } from '@jobport/adapter-memory'
import type { Driver } from '@jobport/core/driver'
import { Difference } from '../src/model/difference.ts'
import { explore, replay } from '../src/model/explore.ts'
import { tamper, tamperAdmin } from '../src/tamper.ts'

/** The embedded broker on a clock that stands still until it is moved, its drivers spoiled. */
function spoiled(wrap: (driver: Driver) => Driver): ReturnType<typeof openVirtual> & { createDriver(): Driver } {
  const { createDriver, clock } = openVirtual()
  return { clock, createDriver: () => wrap(createDriver()) as MemoryDriver }
}

// MOD-01 plays histories in virtual time, and the saboteurs show what the model catches; here is what neither shows

describe('the model of a queue', function () {
  this.timeout(180_000)

  it('agrees with core on the embedded broker, in real time', async () => {
    const store = randomUUID()
    const createDriver = (): Driver => new MemoryDriver({ store })
    const names = Array.from({ length: 16 }, (_, i) => [`orders-${i}`, `orders-${i}-more`] as const)
    const seed = Math.floor(Math.random() * 2 ** 31)
    expect(await explore({ createDriver, names, seed, sequences: 16 })).to.include({ sequences: 16 })
  })

  it('finds the shortest history that shows a difference, and prints it as a program', async () => {
    const { createDriver, clock } = spoiled((driver) =>
      tamper(driver, { admin: (honest) => tamperAdmin(honest, { pause: async () => {} }) }),
    )
    const found = await thrownBy(explore({ createDriver, clock, names: [['orders', 'orders-more']], seed: 1, sequences: 200 }))
    expect(found).to.be.instanceOf(Difference)
    const [, program = ''] = found.message.split("import { replay } from '@jobport/conformance'\n")
    expect(program.trim().split('\n')).to.have.length(3)
    expect(program).to.match(/^await replay\(createDriver, \[\n {2}\{"do":"pause","queue":[01],"via":[01]\},\n\]\)/)
    expect(found.message)
      .to.match(/paused/)
      .and.match(/seed 1, sequence \d+, 1 of \d+ steps/)
  })

  it('catches a driver that has two live jobs of one id, and names the holder', async () => {
    const { createDriver, clock } = spoiled((driver) =>
      tamper(driver, { publish: async (honest, ...args) => (await honest(...args)).map(() => ({ status: 'added' })) }),
    )
    const twice = { do: 'add', queue: 0, via: 0, jobs: [{ name: 'job', id: 'a' }] } as const
    expect((await thrownBy(replay(createDriver, [twice, twice], clock))).message).to.match(
      /add of a answered added, and the live job/,
    )
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
    const { createDriver, clock } = openVirtual()
    await replay(createDriver, steps, clock)
  })
})

async function thrownBy(work: Promise<unknown>): Promise<Error> {
  return work.then(
    () => new Error('nothing was thrown'),
    (error: Error) => error,
  )
}
