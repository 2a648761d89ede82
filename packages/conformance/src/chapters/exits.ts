import { JobportError } from '@jobport/core'
import { expect, refusal, until, within } from '../assert.ts'
import type { Case } from '../case.ts'
import type { Context } from '../context.ts'

/** Leases run out within this, ms; suites set them short. */
const REDELIVERY = 40_000
/** What a close gets while the broker is away, ms: the workers' time, a second to abort, six to disconnect. */
const AWAY = { timeout: 300, bound: 300 + 1_000 + 6_000 + 700 }

/** How brokers close when there is nobody to talk to, and how processes end. */
export const exits: readonly Case[] = [
  {
    id: 'SHU-05',
    title: 'closing ends in time while the broker is away: silent, gone, or never seen; the job runs elsewhere',
    needs: 'durable',
    processes: true,
    wire: true,
    run: async (ctx) => {
      await Promise.all([closeWhile('silent', ctx), closeWhile('gone', ctx), closeUnseen(ctx)])
    },
  },
  {
    id: 'SHU-10',
    title: 'a process with a worker, a producer and a delayed job exits by itself, with 0, once its broker is closed',
    needs: 'durable',
    processes: true,
    run: async ({ child, queue, counted, features }) => {
      const program = await child({ role: 'worker' })
      program.add({ name: 'ok', data: 1 })
      if (features.delay) program.add({ name: 'ok', data: 1, options: { delay: 60_000 } })
      const adds = features.delay ? 2 : 1
      await until(
        () => program.of('added').length === adds && program.of('completed').length === 1,
        'its jobs',
        () => program.reports,
      )
      program.close()
      await within(10_000, 'the end of the process', program.ended())
      expect(program.end, JSON.stringify(program.reports)).to.equal(0)
      await counted({ waiting: 0, delayed: adds - 1, active: 0 }, queue)
    },
  },
  {
    id: 'SHU-12',
    title: 'SIGTERM closes: what runs finishes, then the process exits with 0; SIGTERM again ends it at once',
    needs: 'durable',
    processes: true,
    run: async ({ child, queue, counted }) => {
      const graceful = await child({ role: 'worker' })
      await queue.add('wait', 400, { id: 'last' })
      await until(
        () => graceful.of('active').length === 1,
        'a running job',
        () => graceful.reports,
      )
      graceful.signal('SIGTERM')
      await until(
        () => graceful.of('signalled').length === 1,
        'the signal',
        () => graceful.reports,
      )
      await queue.add('ok', 1, { id: 'next' })
      await within(10_000, 'the end of the process', graceful.ended())
      expect(graceful.end, JSON.stringify(graceful.reports)).to.equal(0)
      await until(
        () => graceful.of('completed').length > 0,
        'the end of its job',
        () => graceful.reports,
      )
      expect(graceful.of('active').map(({ id }) => id)).to.deep.equal(['last'])
      await counted({ waiting: 1, active: 0 })

      const hurried = await child({ role: 'worker' })
      await queue.add('hold', 1, { id: 'held' })
      await until(
        () => hurried.of('active').some(({ id }) => id === 'held'),
        'a running job',
        () => hurried.reports,
      )
      hurried.signal('SIGTERM')
      await until(
        () => hurried.of('signalled').length === 1,
        'the signal',
        () => hurried.reports,
      )
      expect(hurried.running, 'still closing').to.equal(true)
      hurried.signal('SIGTERM')
      await within(2_000, 'the end of the process', hurried.ended())
      expect(hurried.end).to.equal('SIGTERM')
    },
  },
]

/** A worker's job is held and a call is under way when the broker falls silent, or is gone. */
async function closeWhile(
  way: 'silent' | 'gone',
  { harness, proxy: open, broker, another, work, story }: Context,
): Promise<void> {
  const { proxy, url } = await open()
  const queue = another(way)
  const away = broker({ deadline: 2_000 }, harness.createDriver(url))
  await queue.add('a', 1, { id: way })
  await work(
    (_job, signal) => new Promise((resolve) => signal.addEventListener('abort', resolve)),
    { concurrency: 2 },
    { broker: away, queue: queue.name },
  )
  await until(
    () => story.of('active', way).length === 1,
    'a running job',
    () => story.tally(),
  )
  if (way === 'silent') proxy.blackhole()
  else await proxy.close()
  const underWay = away
    .queue(queue.name)
    .counts()
    .catch((error: unknown) => error)
  await within(AWAY.bound, `closing while the broker is ${way}`, away.close({ timeout: AWAY.timeout }))
  expect(await within(2_500, 'a call under way', underWay)).to.be.instanceOf(JobportError)
  await work(() => 1, {}, { queue: queue.name })
  await until(
    () => story.of('completed', way).length === 1,
    'the job elsewhere',
    () => story.tally(),
    REDELIVERY,
  )
}

async function closeUnseen({ harness, proxy: open, broker, name }: Context): Promise<void> {
  const { proxy, url } = await open({ unused: true })
  await proxy.close()
  const away = broker({ deadline: 2_000 }, harness.createDriver(url))
  const worker = away.worker(name('unseen'), () => 1)
  await within(AWAY.bound, 'closing what never saw the broker', away.close({ timeout: AWAY.timeout }))
  await refusal(worker.ready(), 'CLOSED')
}
