import { connect, JobportError, type Worker } from '@jobport/core'
import { expect, quiet, refusal, until, within } from '../assert.ts'
import { answers, callsOf } from '../calls.ts'
import { intercepted } from '../intercepted.ts'
import { patiently } from '../wait.ts'
import type { Case } from '../case.ts'
import type { AnyJobs, Context } from '../context.ts'

/** Core gives up a driver that does not stop after 5 s. A case that waits as long cannot notice it, ms. */
const CORE_WAITS = 4_000

/** How workers and brokers stop while the broker is there. */
export const shutdown: readonly Case[] = [
  {
    id: 'SHU-01',
    title: 'close is idempotent, and calls at the same time share its end; so does stop',
    run: async ({ broker, queue, work, story, completed, driver }) => {
      const gate = Promise.withResolvers<void>()
      const closing = broker()
      const worker = await work(() => gate.promise, {}, { broker: closing })
      await queue.add('a', 1)
      await until(
        () => story.of('active').length === 1,
        'a running job',
        () => story.tally(),
      )
      const ended: string[] = []
      const ends = Object.entries({
        first: closing.close(),
        second: closing.close({ timeout: 1 }),
        stop: worker.stop(),
        again: worker.stop({ timeout: 1 }),
      }).map(([name, end]) => end.then(() => ended.push(name)))
      await quiet(150, 'an end while a job runs', () => ended)
      gate.resolve()
      await within(5_000, 'closing', Promise.all(ends))
      await completed(1)
      await within(500, 'closing what is closed', Promise.all([closing.close(), worker.stop()]))
      const native = await driver()
      await within(6_000, 'closing a driver twice', Promise.all([native.close(), native.close()]))
      await within(500, 'closing a closed driver', native.close())
    },
  },
  {
    id: 'SHU-02',
    title: 'what runs finishes, adding jobs of its own if it likes; nothing new is taken',
    run: async ({ broker, queue, another, work, story, completed, counted }) => {
      const gate = Promise.withResolvers<void>()
      const closing = broker()
      const next = another('next')
      const follow = closing.queue(next.name)
      await queue.addMany(Array.from({ length: 10 }, (_, i) => ({ name: 'a', data: i })))
      await work(
        async ({ data }) => {
          await gate.promise
          await follow.add('after', data)
        },
        { concurrency: 3 },
        { broker: closing },
      )
      await until(
        () => story.of('active').length === 3,
        'three running jobs',
        () => story.tally(),
      )
      const end = closing.close()
      await queue.add('a', 10)
      await quiet(200, 'a start while closing', () => story.tally())
      gate.resolve()
      await within(5_000, 'closing', end)
      await completed(3)
      await quiet(200, 'a start after closing', () => story.tally())
      expect(story.tally()).to.deep.equal({ active: 3, completed: 3 })
      await counted({ waiting: 8, active: 0, dead: 0 })
      await counted({ waiting: 3 }, next)
    },
  },
  {
    id: 'SHU-03',
    title: 'out of time: the signal fires, the job goes back at no cost, whether its handler obeys or not, and runs elsewhere',
    run: async ({ broker, queue, work, story, completed, exactly }) => {
      const reasons: unknown[] = []
      const closing = broker()
      const holding =
        (obeys: boolean) =>
        (_job: unknown, signal: AbortSignal): Promise<void> =>
          new Promise((resolve) =>
            signal.addEventListener('abort', () => {
              reasons.push((signal.reason as JobportError).code)
              if (obeys) resolve()
            }),
          )
      await work({ obeys: holding(true), ignores: holding(false) }, { concurrency: 2 }, { broker: closing })
      for (const name of ['obeys', 'ignores']) await queue.add(name, 1, { id: name })
      await until(
        () => story.of('active').length === 2,
        'two running jobs',
        () => story.tally(),
      )
      await within(3_000, 'closing by force', closing.close({ timeout: 100 }))
      expect(reasons).to.deep.equal(['CLOSED', 'CLOSED'])
      await work(() => 1)
      await completed(2)
      exactly(['obeys', 'ignores'], story.ids('completed'), 'completed')
      expect(story.tally()).to.deep.equal({ active: 4, completed: 2 })
      for (const entry of story.of('completed')) expect(entry).to.include({ attempt: 1, crashes: 0 })
    },
  },
  {
    id: 'SHU-04',
    title: 'closing an idle worker takes less than a second, however it waits for jobs',
    run: async ({ broker, work, story }) => {
      const first = await work(() => 1)
      const closing = broker()
      await work(() => 1, { concurrency: 5 }, { broker: closing })
      await quiet(500, 'a run', () => story.tally())
      const soon = Math.min(1_000, CORE_WAITS / patiently(1))
      await within(soon, 'stopping an idle worker', first.stop())
      await within(soon, 'closing an idle broker', closing.close())
      const late = broker()
      await work(() => 1, {}, { broker: late })
      await within(soon, 'closing a worker that has just begun to wait', late.close())
    },
  },
  {
    id: 'SHU-06',
    title: 'everything closed or closing answers CLOSED, opened before or not; what is under way still gets an answer',
    run: async ({ broker, name, work, story }) => {
      for (const open of [false, true]) {
        const closing = broker()
        if (open) await closing.connect()
        const queue = closing.queue(name('closing'))
        const calls = callsOf(closing, queue)
        const all = Object.fromEntries(Object.keys(calls).map((what) => [what, 'CLOSED']))
        const underWay = Promise.allSettled(open ? [queue.counts(), queue.add('a', 1)] : [])
        const end = closing.close()
        expect(await answers(calls), `while closing, ${open ? 'opened' : 'never opened'}`).to.deep.equal(all)
        await within(6_000, 'closing', end)
        expect(await answers(calls), `closed, ${open ? 'opened' : 'never opened'}`).to.deep.equal(all)
        expect((await closing.health()).ok).to.equal(false)
        for (const result of await within(2_000, 'calls under way', underWay)) {
          if (result.status === 'rejected') expect(result.reason).to.be.instanceOf(JobportError)
        }
      }
      const gate = Promise.withResolvers<void>()
      const draining = broker()
      const busy = draining.queue(name('busy'))
      await work(() => gate.promise, {}, { broker: draining, queue: busy.name })
      await busy.add('a', 1)
      await until(
        () => story.of('active').length === 1,
        'a running job',
        () => story.tally(),
      )
      const end = draining.close()
      await refusal(() => draining.worker(busy.name, () => 1), 'CLOSED')
      await refusal(() => draining.closeOn('SIGUSR2'), 'CLOSED')
      gate.resolve()
      await within(5_000, 'closing', end)
      expect(new Set(Object.values(await answers(callsOf(draining, busy))))).to.deep.equal(new Set(['CLOSED']))
    },
  },
  {
    id: 'SHU-07',
    title: 'ten workers close at once amid their work; one more does the rest, and each job completes once',
    run: async ({ broker, queue, work, story, completed, exactly, random, counted }) => {
      const ids = Array.from({ length: 200 }, (_, i) => `job-${i}`)
      await queue.addMany(ids.map((id) => ({ name: 'a', data: 1, options: { id } })))
      const closing = Array.from({ length: 10 }, () => broker())
      const handler = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, random() * 20))
      await Promise.all(closing.map((each) => work(handler, { concurrency: 2 }, { broker: each })))
      await completed(40)
      await within(15_000, 'closing ten brokers', Promise.all(closing.map((each) => each.close())))
      await counted({ active: 0 })
      await work(handler, { concurrency: 10 })
      await completed(200)
      await quiet(100, 'another run', () => story.tally())
      exactly(ids, story.ids('completed'), 'completed')
      expect(story.tally()).to.deep.equal({ active: 200, completed: 200 })
      expect(Math.max(...story.of('active').map(({ crashes }) => crashes)), 'crashes').to.equal(0)
    },
  },
  {
    id: 'SHU-08',
    title: 'start, stop, start; both at once; a start that failed leaves nothing behind and can be tried again',
    run: async (ctx) => {
      const { main, queue, work, story, completed } = ctx
      for (let i = 1; i <= 3; i++) {
        const worker = await work(() => 1)
        await queue.add('a', i)
        await completed(i)
        await worker.stop()
      }
      for (let turns = 0; turns < 6; turns++) {
        const worker = main.worker(queue.name, () => 1)
        const ready = worker.ready().catch(({ code }: JobportError) => code)
        for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
        await within(5_000, 'stopping what starts', worker.stop())
        expect(await within(500, 'the end of a start', ready)).to.be.oneOf([undefined, 'CLOSED'])
      }
      await noWorkers(ctx)
      expect((await main.health()).ok, 'health without workers').to.equal(true)
      await work(() => 1)
      await queue.add('a', 4)
      await completed(4)
      expect(story.tally()).to.deep.equal({ active: 4, completed: 4 })
      await failedStarts(ctx)
    },
  },
  {
    id: 'SHU-09',
    title: 'a worker that is stopped before it started consumes nothing, ever',
    run: async ({ harness, broker, queue, story, counted }) => {
      const methods: string[] = []
      const closing = broker(
        {},
        intercepted(harness.createDriver(), (method, call) => {
          methods.push(method)
          return call()
        }),
      )
      await queue.add('a', 1)
      const stopped = closing.worker(queue.name, () => 1)
      const closed = closing.worker(queue.name, () => 1)
      for (const worker of [stopped, closed]) story.follow(worker)
      await within(500, 'stopping', stopped.stop())
      await within(6_000, 'closing', closing.close())
      for (const worker of [stopped, closed]) await refusal(worker.ready(), 'CLOSED')
      await quiet(200, 'a start', () => [story.tally(), methods])
      expect(methods).not.to.include('consume')
      expect(stopped.consuming).to.equal(false)
      await counted({ waiting: 1, active: 0 })
    },
  },
]

/** The broker knows of no worker on the case's queue. */
async function noWorkers({ main, queue }: Context): Promise<void> {
  let health = await main.health()
  const none = async (): Promise<boolean> => {
    health = await main.health()
    return health.queues[queue.name]?.workers === 0
  }
  await until(none, 'no worker left', () => health)
}

/** `connect` fails at first, as it does when the broker is not up yet. */
async function failedStarts({ harness, broker, name, work, story, main }: Context): Promise<void> {
  const flaky = (failures: number, methods: string[] = []) =>
    intercepted(harness.createDriver(), (method, call) => {
      methods.push(method)
      if (method !== 'connect' || failures-- <= 0) return call()
      return Promise.reject(new JobportError('UNAVAILABLE', 'not up yet'))
    })
  const patient = broker({}, flaky(1))
  await refusal(patient.connect(), 'UNAVAILABLE')
  await patient.connect()
  expect((await patient.health()).ok).to.equal(true)

  const methods: string[] = []
  await refusal(connect(flaky(Infinity, methods), { deadline: 1_000 }), 'UNAVAILABLE')
  expect(methods).to.deep.equal(['connect', 'close'])

  const queue = main.queue(name('failed'))
  const before = story.of('completed').length
  const worker: Worker<AnyJobs> = await work(() => 1, {}, { broker: broker({}, flaky(2)), queue: queue.name })
  expect(story.errors.filter(({ message }) => message.includes('not up yet'))).to.have.length(2)
  await queue.add('a', 1)
  await until(
    () => story.of('completed').length === before + 1,
    'its job',
    () => story.tally(),
  )
  expect(worker.consuming).to.equal(true)
}
