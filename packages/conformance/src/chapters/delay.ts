import { expect, quiet, refusal, until } from '../assert.ts'
import { Pulse, SLUGGISH } from '../pulse.ts'
import { patiently } from '../wait.ts'
import type { Case } from '../case.ts'
import type { Context } from '../context.ts'

/** How late a start may be in a case that is not about lateness, ms: granularity, and a machine that is busy. */
const SLACK = 2_000
/** Of fifty starts, at least this many must fall into moments in which the machine had time. */
const SAMPLES = 15

function limits({ features }: Context): { granularity: number; max: number } {
  if (!features.delay) throw new Error('the case needs delay')
  return features.delay
}

export const delay: readonly Case[] = [
  {
    id: 'DEL-01',
    title: 'never early: 50 random delays; lateness is within the declared granularity',
    needs: 'delay',
    run: async (ctx) => {
      const { queue, work, story, completed, random, late, untested } = ctx
      await work(() => 1, { concurrency: 50 })
      const pulse = new Pulse(ctx.another('pulse'), { pace: 25, late: SLUGGISH })
      const due = new Map<string, number>()
      const stored = new Map<string, number>()
      await Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          const delay = 30 + Math.floor(random() * 1_500)
          due.set(`d-${i}`, Date.now() + delay)
          await queue.add('a', 1, { id: `d-${i}`, delay })
          stored.set(`d-${i}`, Date.now())
        }),
      )
      await completed(50)
      await pulse.stop()
      const starts = story.of('active').map(({ id, at }) => ({ at, due: due.get(id)!, stored: stored.get(id)! }))
      const lateness = starts.map((start) => start.at - start.due)
      lateness.forEach(late)
      expect(
        lateness.filter((ms) => ms < 0),
        'early starts, ms',
      ).to.deep.equal([])
      const judged = starts.filter((start) => !pulse.wasLate(start.due - SLUGGISH, start.at + SLUGGISH))
      if (judged.length < SAMPLES)
        return void untested.push(`lateness: the machine had time for ${judged.length} of 50 starts only`)
      // the first delays of a queue may take the broker longer to store than they last
      const sorted = judged.map((start) => start.at - Math.max(start.due, start.stored)).toSorted((a, b) => a - b)
      expect(sorted[Math.floor(sorted.length / 2)]!, 'median lateness, ms').to.be.at.most(
        limits(ctx).granularity + patiently(150),
      )
    },
  },
  {
    id: 'DEL-02',
    title: 'lateness under load stays within granularity and slack, also for jobs due at the same instant',
    needs: 'delay',
    run: async (ctx) => {
      const { queue, work, story, completed, late } = ctx
      const at = new Date(Date.now() + 1_000)
      await queue.addMany(Array.from({ length: 200 }, (_, i) => ({ name: 'a', data: i, options: { at } })))
      await work(() => 1, { concurrency: 20 })
      await completed(200)
      const lateness = story.of('active').map((entry) => entry.at - at.getTime())
      lateness.forEach(late)
      expect(Math.min(...lateness)).to.be.at.least(0)
      expect(Math.max(...lateness)).to.be.at.most(limits(ctx).granularity + patiently(SLACK))
    },
  },
  {
    id: 'DEL-03',
    title: 'a delay of 0, below 0, in the past or of 1 ms runs now',
    needs: 'delay',
    run: async ({ queue, work, completed }) => {
      await work(() => 1)
      for (const delay of [0, -5, 1]) await queue.add('a', delay, { delay })
      await queue.add('a', 'past', { at: new Date(Date.now() - 3_600_000) })
      await completed(4, 5_000)
      expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    },
  },
  {
    id: 'DEL-04',
    title: 'a short delay added after a long one fires first; order is by due time',
    needs: 'delay',
    run: async (ctx) => {
      const { queue, work, story, completed } = ctx
      const step = limits(ctx).granularity + 250
      await work(() => 1)
      await queue.add('a', 1, { id: 'hour', delay: 3_600_000 })
      // adding takes its time, too
      const base = Date.now() + patiently(1_000)
      for (const [id, steps] of [
        ['third', 3],
        ['first', 1],
        ['second', 2],
      ] as const)
        await queue.add('a', 1, { id, at: new Date(base + steps * step) })
      await completed(3)
      expect(story.ids('active')).to.deep.equal(['first', 'second', 'third'])
      expect(await queue.counts()).to.include({ delayed: 1 })
    },
  },
  {
    id: 'DEL-06',
    title: 'several workers promote one set of due jobs: each runs once',
    needs: 'delay',
    run: async ({ queue, work, broker, story, completed, exactly }) => {
      for (let i = 0; i < 3; i++) await work(() => 1, { concurrency: 10 }, { broker: broker() })
      const at = new Date(Date.now() + 300)
      const receipts = await queue.addMany(Array.from({ length: 90 }, (_, i) => ({ name: 'a', data: i, options: { at } })))
      await completed(90)
      await quiet(200, 'another run', () => story.tally())
      exactly(
        receipts.map(({ id }) => id),
        story.ids('active'),
        'started',
      )
    },
  },
  {
    id: 'DEL-07',
    title: 'a delay beyond 31 bits of ms waits; one beyond the declared maximum is refused',
    needs: 'delay',
    run: async (ctx) => {
      const { queue, work, story, features } = ctx
      const { max } = limits(ctx)
      await work(() => 1)
      const long = Math.min(max, 2 ** 31 + 60_000)
      await queue.add('a', 1, { id: 'long', delay: long })
      await quiet(400, 'the start of a job due in weeks', () => story.tally())
      expect(await queue.counts()).to.include({ delayed: 1, waiting: 0 })
      if (features.inspect)
        expect((await queue.get('long'))!.dueAt!.getTime()).to.be.within(Date.now() + long - 20_000, Date.now() + long + 1_000)
      await refusal(queue.add('a', 1, { delay: max + 1 }), 'INVALID_ARGUMENT')
    },
  },
  {
    id: 'DEL-08',
    title: 'at takes a Date; an invalid one, and delay beside it, are refused',
    needs: 'delay',
    run: async ({ queue, work, story, completed }) => {
      await work(() => 1)
      const at = new Date(Date.now() + 400)
      await queue.add('a', 1, { at })
      await completed(1)
      expect(story.of('active')[0]!.at).to.be.at.least(at.getTime())
      for (const bad of [
        { at: new Date(NaN) },
        { at: Date.now() },
        { at: '2030-01-01' },
        { at, delay: 5 },
        { delay: NaN },
        { delay: '5' },
        { delay: Infinity },
      ]) {
        await refusal(queue.add('a', 1, bad as never), 'INVALID_ARGUMENT')
      }
    },
  },
  {
    id: 'DEL-09',
    title: 'a delayed job can be cancelled, alone and with all others',
    needs: 'delay',
    run: async ({ queue, work, story, features }) => {
      if (!features.cancel) return void (await refusal(queue.purge(), 'NOT_SUPPORTED'))
      const at = await inGoodTime(patiently(3_000), (ms) => cancelled(queue, ms))
      await work(() => 1)
      await quiet(at.getTime() + 400 - Date.now(), 'the run of a cancelled job', () => story.tally())
      expect(await queue.add('a', 1, { id: 'one' })).to.include({ added: true })
    },
  },
  {
    id: 'DEL-10',
    title: 'a delay outlives its producer process and every worker; the due time stays',
    needs: 'durable',
    processes: true,
    run: async (ctx) => {
      await inGoodTime(Math.ceil(patiently(2_000)), (delay) => outlives(ctx, delay))
    },
  },
  {
    id: 'DEL-11',
    title: 'a job that came due while no worker ran starts at once when one does',
    needs: 'delay',
    run: async ({ queue, work, completed }) => {
      await queue.add('a', 1, { delay: 200 })
      await new Promise((resolve) => setTimeout(resolve, 500))
      await work(() => 1)
      await completed(1, 3_000)
    },
  },
  {
    id: 'DEL-12',
    title: 'delay with pause, with priority, and with a delayed retry',
    needs: 'delay',
    run: async ({ queue, work, story, completed, features }) => {
      if (features.pause) {
        await work(() => 1)
        await queue.pause()
        await queue.add('a', 1, { delay: 100 })
        await quiet(500, 'a start while paused', () => story.tally())
        await queue.resume()
        await completed(1)
      }
      const before = Date.now()
      await work(({ attempt }) => {
        if (attempt === 1) throw new Error('again')
      })
      await queue.add('b', 1, {
        id: 'twice',
        delay: 200,
        attempts: 2,
        backoff: { type: 'fixed', delay: 200 },
        ...(features.priority && { priority: 3 }),
      })
      await until(
        () => story.of('completed', 'twice').length === 1,
        'completion',
        () => story.tally(),
      )
      expect(story.of('active', 'twice')[0]!.at - before).to.be.at.least(200)
    },
  },
  {
    id: 'DEL-14',
    title: 'a delay longer than any lease does not double the job',
    needs: 'delay',
    run: async ({ queue, work, story, completed }) => {
      await work(() => 1, { concurrency: 2 })
      await queue.add('a', 1, { delay: 5_000 })
      await completed(1)
      await quiet(500, 'a second run', () => story.tally())
      expect(story.of('active')).to.have.length(1)
    },
  },
]

/** What comes of `attempt`, which gets twice the time each time this machine was too slow: then nothing comes of it. */
async function inGoodTime<T>(ms: number, attempt: (ms: number) => Promise<T | undefined>): Promise<T> {
  return (await attempt(ms)) ?? inGoodTime(2 * ms, attempt)
}

/** Adds three jobs and cancels them before they are due, one alone. Returns when they were due. */
async function cancelled(queue: Context['queue'], ms: number): Promise<Date | undefined> {
  const at = new Date(Date.now() + ms)
  for (const id of ['one', 'two', 'three']) await queue.add('a', 1, { id, at })
  const isRemoved = await queue.remove('one')
  const counts = await queue.counts()
  const purged = await queue.purge()
  if (Date.now() >= at.getTime()) return undefined
  expect(isRemoved).to.equal(true)
  expect(counts).to.include({ delayed: 2 })
  expect(purged).to.equal(2)
  return at
}

/** Ends the producer and the worker of a delayed job before it is due, and lets another run it. */
async function outlives({ another, work, child, story }: Context, delay: number): Promise<true | undefined> {
  const id = `survivor-${delay}`
  const queue = another(id)
  const first = await work(() => 1, {}, { queue: queue.name })
  const producer = await child({ role: 'producer', queue: queue.name })
  const before = Date.now()
  producer.add({ name: 'a', data: 1, options: { id, delay } })
  await until(
    () => producer.of('added').length > 0,
    'the receipt',
    () => producer.reports,
  )
  const after = Date.now()
  await producer.kill()
  await first.stop()
  const counts = await queue.counts()
  if (Date.now() >= before + delay) return undefined
  expect(counts).to.include({ delayed: 1 })
  await work(() => 1, {}, { queue: queue.name })
  await until(
    () => story.of('completed', id).length === 1,
    'its run',
    () => story.tally(),
    delay + SLACK,
  )
  expect(story.of('active', id)[0]!.at).to.be.within(before + delay, after + delay + patiently(SLACK))
  return true
}
