import { expect, quiet, refusal, until, within } from '../assert.ts'
import { pause } from '../wait.ts'
import type { Case } from '../case.ts'

export const concurrency: readonly Case[] = [
  {
    id: 'CON-01',
    title: 'as many jobs run at once as allowed, and never more',
    run: async ({ queue, work, completed }) => {
      let running = 0
      let peak = 0
      await work(
        async () => {
          peak = Math.max(peak, ++running)
          await pause(40)
          running--
        },
        { concurrency: 4 },
      )
      await queue.addMany(Array.from({ length: 24 }, (_, i) => ({ name: 'a', data: i })))
      await completed(24)
      expect(peak).to.equal(4)
    },
  },
  {
    id: 'CON-02',
    title: 'concurrency 1 is one after another',
    run: async ({ queue, work, completed }) => {
      const steps: string[] = []
      await work(async ({ data }) => {
        steps.push(`begin ${String(data)}`)
        await pause(5)
        steps.push(`end ${String(data)}`)
      })
      await queue.addMany(Array.from({ length: 15 }, (_, i) => ({ name: 'a', data: i })))
      await completed(15)
      expect(steps).to.have.length(30)
      for (let i = 0; i < 30; i += 2) expect(steps[i + 1]).to.equal(steps[i]!.replace('begin', 'end'))
    },
  },
  {
    id: 'CON-04',
    title: 'four workers, four producers, 400 jobs: each runs exactly once',
    run: async ({ queue, work, broker, story, completed, exactly }) => {
      for (let i = 0; i < 4; i++) await work(() => 1, { concurrency: 5 }, { broker: broker() })
      const producers = Array.from({ length: 4 }, () => broker().queue(queue.name))
      const receipts = await Promise.all(
        producers.flatMap((producer) => Array.from({ length: 100 }, (_, i) => producer.add('a', i))),
      )
      await completed(400)
      await quiet(200, 'another run', () => story.tally())
      exactly(
        receipts.map(({ id }) => id),
        story.ids('active'),
        'started',
      )
      exactly(
        receipts.map(({ id }) => id),
        story.ids('completed'),
        'completed',
      )
    },
  },
  {
    id: 'CON-05',
    title: 'twenty queues at once, each with its own',
    run: async ({ another, work, story, completed }) => {
      const queues = Array.from({ length: 20 }, (_, i) => another(`many-${i}`))
      const wrong: string[] = []
      for (const { name } of queues) await work((job) => void (job.data !== name && wrong.push(name)), {}, { queue: name })
      await Promise.all(queues.flatMap((queue) => Array.from({ length: 5 }, () => queue.add('a', queue.name))))
      await completed(100)
      expect(wrong).to.deep.equal([])
      expect(story.tally()).to.deep.equal({ active: 100, completed: 100 })
    },
  },
  {
    id: 'CON-06',
    title: 'a busy worker keeps nothing from an idle one',
    run: async ({ queue, work, broker, story, completed }) => {
      const gate = Promise.withResolvers<void>()
      await work(() => gate.promise)
      await queue.add('slow', 1, { id: 'slow' })
      await until(
        () => story.of('active', 'slow').length === 1,
        'the slow job',
        () => story.tally(),
      )
      await queue.addMany(Array.from({ length: 10 }, (_, i) => ({ name: 'quick', data: i })))
      await work(() => 1, {}, { broker: broker() })
      await completed(10, 5_000)
      expect(story.ids('completed')).not.to.include('slow')
      gate.resolve()
      await completed(11)
    },
  },
  {
    id: 'CON-07',
    title: 'settling twice does no harm: the second is refused with LEASE_LOST',
    run: async ({ queue, take, counted }) => {
      await queue.add('a', 1)
      const { deliveries } = await take(1)
      await until(
        () => deliveries.length > 0,
        'a delivery',
        () => deliveries.length,
      )
      const [delivery] = deliveries
      await delivery!.settle({ type: 'complete', result: null })
      await refusal(delivery!.settle({ type: 'complete', result: null }), 'LEASE_LOST')
      await refusal(delivery!.settle({ type: 'again', delay: 0, attempt: 2 }), 'LEASE_LOST')
      await quiet(200, 'another delivery', () => deliveries.length)
      await counted({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    },
  },
  {
    id: 'CON-08',
    title: 'who has lost a job cannot settle the newer delivery: not complete, retry, kill or release it',
    run: async ({ queue, take, counted }) => {
      await queue.add('a', { kept: 1 }, { attempts: 5, id: 'fought' })
      const first = await take(1)
      await until(
        () => first.deliveries.length > 0,
        'the first delivery',
        () => first.deliveries.length,
      )
      const [old] = first.deliveries
      await first.stop()
      await old!.settle({ type: 'release' })
      const second = await take(1)
      await until(
        () => second.deliveries.length > 0,
        'the second delivery',
        () => second.deliveries.length,
      )
      for (const outcome of [
        { type: 'complete', result: null },
        { type: 'again', delay: 0, attempt: 9 },
        { type: 'release' },
        { type: 'dead', reason: 'attempts', error: { name: 'Error', message: 'old' } },
      ] as const) {
        await refusal(old!.settle(outcome), 'LEASE_LOST')
      }
      await counted({ waiting: 0, delayed: 0, active: 1, dead: 0 })
      expect(second.deliveries[0]).to.include({ attempt: 1, crashes: 0 })
      await second.deliveries[0]!.settle({ type: 'complete', result: null })
      await counted({ active: 0, dead: 0 })
    },
  },
  {
    id: 'CON-11',
    title:
      'a lease that is lost is told at once: the handler is aborted with LEASE_LOST, its end changes nothing, another run completes',
    run: async ({ broker, harness, queue, work, story, completed, counted }) => {
      const driver = harness.createDriver()
      const reasons: unknown[] = []
      let runs = 0
      const handler = async (_job: unknown, signal: AbortSignal): Promise<void> => {
        if (++runs > 1) return
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        reasons.push(signal.reason)
      }
      await work(handler, {}, { broker: broker({}, driver) })
      await queue.add('a', 1, { attempts: 2 })
      await until(
        () => runs === 1,
        'its start',
        () => story.tally(),
      )
      // behind core's back, as when a connection ends
      await within(6_000, 'closing a driver with a job in hand', driver.close())
      await until(
        () => reasons.length === 1,
        'the abort of a handler whose lease is lost',
        () => story.tally(),
      )
      expect(reasons[0]).to.have.property('code', 'LEASE_LOST')
      await work(handler)
      await completed(1)
      expect(story.of('active').map(({ attempt, crashes }) => [attempt, crashes])).to.deep.equal([
        [1, 0],
        [1, 0],
      ])
      expect(story.of('failed')).to.deep.equal([])
      await counted({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    },
  },
  {
    id: 'CON-10',
    title: 'a concurrency of 0, below, NaN or half is refused',
    run: async ({ main, queue }) => {
      for (const concurrency of [0, -1, NaN, 1.5, Infinity, '2', null]) {
        await refusal(() => main.worker(queue.name, () => 1, { concurrency: concurrency as number }), 'INVALID_ARGUMENT')
      }
    },
  },
]
