import { expect, quiet, until } from '../assert.ts'
import { fail } from '../fail.ts'
import { Pulse } from '../pulse.ts'
import { insist } from '../wait.ts'
import type { Case } from '../case.ts'
import type { Child } from '../child.ts'
import type { Context } from '../context.ts'

/** Leases run out within this, ms; suites set them short. */
const REDELIVERY = 40_000
/** Far longer than the leases of a suite, ms. */
const LONG = 12_000
/** From when the queue can be used again, ms. */
const RECOVERY = 30_000
/** From a moment when somebody could have done so, ms. */
const PROMOTION = 15_000

/** The broker and the network are well, a worker's process is not. */
export const processFaults: readonly Case[] = [
  {
    id: 'FLT-06',
    title: 'a worker is killed in its handler: another runs the job, as the same attempt, one crash more',
    needs: 'durable',
    processes: true,
    run: async (ctx) => {
      const { queue, work, completed, story } = ctx
      const victim = await holding(ctx)
      await victim.kill()
      const lost = Date.now()
      await work({ hold: () => 1 })
      await completed(1, REDELIVERY)
      ctx.redelivered(story.of('active')[0]!.at - lost)
      expect(story.of('active')[0]).to.include({ id: 'held', attempt: 1, crashes: 1 })
      expect(story.of('stalled')).to.have.length(1)
      expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    },
  },
  {
    id: 'FLT-07',
    title: 'a worker is frozen beyond its lease: another runs the job; thawed, the first one is told and changes nothing',
    needs: 'durable',
    processes: true,
    run: async (ctx) => {
      const { queue, work, completed, story } = ctx
      const frozen = await ctx.child({ role: 'worker' })
      await queue.add('wait', 500, { id: 'x' })
      await startsOn(frozen)
      frozen.signal('SIGSTOP')
      await work({ wait: () => 1 })
      await completed(1, REDELIVERY)
      frozen.signal('SIGCONT')
      await until(
        () => frozen.of('error').length + frozen.of('completed').length > 0,
        'word of the lost lease',
        () => frozen.reports,
      )
      await quiet(500, 'a change', () => story.tally())
      expect(frozen.of('completed'), 'completed twice').to.deep.equal([])
      expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
      expect(await queue.add('wait', 1, { id: 'x' }), 'the id is free').to.include({ added: true })
    },
  },
  {
    id: 'FLT-27',
    title: 'thawed while another still runs its jobs: a handler in the middle of one is aborted, the end of the other is refused',
    needs: 'durable',
    processes: true,
    run: async (ctx) => {
      const { queue, work, completed, counted, story } = ctx
      const frozen = await ctx.child({ role: 'worker', concurrency: 2 })
      await queue.add('hold', 1, { id: 'held' })
      await queue.add('wait', 500, { id: 'ends' })
      await until(
        () => frozen.of('active').length === 2,
        'two running jobs',
        () => frozen.reports,
      )
      frozen.signal('SIGSTOP')
      const gate = Promise.withResolvers<void>()
      await work({ hold: () => gate.promise, wait: () => gate.promise }, { concurrency: 2 })
      await until(
        () => story.of('active').length === 2,
        'both jobs elsewhere',
        () => story.tally(),
        REDELIVERY,
      )
      frozen.signal('SIGCONT')
      await until(
        () => frozen.of('aborted').length > 0,
        'the abort of a handler whose lease has run out',
        () => frozen.reports,
      )
      expect(frozen.of('aborted').map(({ code }) => code)).to.deep.equal(['LEASE_LOST'])
      const lost = (): Set<unknown> =>
        new Set(frozen.of('error').flatMap(({ code, id }) => (code === 'LEASE_LOST' && id !== undefined ? [id] : [])))
      await until(
        () => lost().size === 2,
        'word of both lost leases',
        () => frozen.reports,
      )
      expect(frozen.of('completed'), 'completed by the one that lost them').to.deep.equal([])
      await counted({ waiting: 0, delayed: 0, active: 2, dead: 0 })
      gate.resolve()
      await completed(2)
      expect(story.tally()).to.deep.equal({ stalled: 2, active: 2, completed: 2 })
      await counted({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    },
  },
  {
    id: 'FLT-08',
    title: "a worker's event loop is blocked beyond its lease: the job may run twice, and ends once",
    needs: 'durable',
    processes: true,
    run: async (ctx) => {
      const { queue, work, story } = ctx
      const blocked = await ctx.child({ role: 'worker' })
      await queue.add('block', LONG, { id: 'x' })
      await work({ block: () => 1, ok: () => 1 })
      const ends = (): number => story.of('completed', 'x').length + blocked.of('completed').length
      await until(
        () => ends() > 0,
        'its end',
        () => ({ here: story.tally(), there: blocked.reports }),
        REDELIVERY,
      )
      await queue.add('ok', 1, { id: 'next' })
      await until(
        () => story.of('completed', 'next').length + blocked.of('completed').filter(({ id }) => id === 'next').length > 0,
        'the next job',
        () => story.tally(),
        REDELIVERY,
      )
      await ctx.counted({ waiting: 0, delayed: 0, active: 0, dead: 0 })
      expect(story.of('completed', 'x').length + blocked.of('completed').filter(({ id }) => id === 'x').length).to.equal(1)
    },
  },
  {
    id: 'FLT-09',
    title: 'a job that runs far longer than its lease, on a worker that lives, is never run by another',
    needs: 'durable',
    slow: true,
    run: async (ctx) => {
      const { queue, work, completed, story, broker, another, untested } = ctx
      const pulse = new Pulse(another('pulse'))
      await queue.add('a', 1, { id: 'long' })
      await work(() => new Promise((resolve) => setTimeout(resolve, LONG)))
      await until(
        () => story.of('active').length === 1,
        'its start',
        () => story.tally(),
      )
      await work(() => 1, {}, { broker: broker() })
      await completed(1, LONG + 5_000)
      await pulse.stop()
      if (pulse.late.length > 0) {
        // a lease that could not be renewed in time says nothing about the driver
        untested.push(`a lease kept for long: the machine gave the broker or the client no time, ${pulse.late.length} times`)
        return
      }
      expect(story.ids('active')).to.deep.equal(['long'])
      expect(story.errors).to.deep.equal([])
    },
  },
  {
    id: 'FLT-19',
    title: 'a queue is dropped under a running worker: what was in it is gone, what is added after runs, and runs once',
    run: async (ctx) => {
      const { queue, work, completed, died, story, exactly, broker, features } = ctx
      await work({ a: () => 1, dies: fail })
      await queue.add('a', 1, { id: 'before' })
      await completed(1)
      await queue.add('dies', 1, { id: 'dead' })
      await died(1)
      if (features.delay) await queue.add('a', 1, { id: 'delayed', delay: 600_000 })
      const other = broker().queue(queue.name)
      await other.drop()
      const ids = Array.from({ length: 20 }, (_, i) => `after-${i}`)
      for (const id of ids) await insist(RECOVERY, () => other.add('a', 1, { id, deadline: 2_000 }))
      await completed(21, RECOVERY)
      await quiet(300, 'another run', () => story.tally())
      exactly(['before', 'dead', ...ids], story.ids('active'), 'started')
      expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
      if (features.pause) await outlivesPause(ctx, other)
    },
  },
  {
    id: 'FLT-22',
    title: 'the worker that looked after due jobs, retries and lost jobs is killed: another takes over',
    needs: 'durable',
    processes: true,
    run: async (ctx) => {
      const { queue, work, story, features } = ctx
      const first = await ctx.child({ role: 'worker' })
      await queue.add('hold', 1, { id: 'held' })
      await startsOn(first)
      await work({ hold: () => 1, ok: () => 1 }, { concurrency: 2 }, { broker: ctx.broker() })
      if (features.delay) await queue.add('ok', 1, { id: 'due', delay: 1_000 })
      await first.kill()
      const lost = Date.now()
      if (features.delay)
        await until(
          () => story.of('completed', 'due').length === 1,
          'the due job',
          () => story.tally(),
          PROMOTION,
        )
      await until(
        () => story.of('completed', 'held').length === 1,
        'the lost job',
        () => story.tally(),
        REDELIVERY,
      )
      const starts = story.of('active', 'held')
      expect(starts).to.have.length(1)
      ctx.redelivered(starts[0]!.at - lost)
    },
  },
]

/** A worker process with a job in hand that never ends. */
async function holding(ctx: Context): Promise<Child> {
  const child = await ctx.child({ role: 'worker' })
  await ctx.queue.add('hold', 1, { id: 'held' })
  await startsOn(child)
  return child
}

async function startsOn(child: Child): Promise<void> {
  await until(
    () => child.of('active').length > 0,
    'a running job',
    () => child.reports,
  )
}

/** Drops a paused queue under its worker: it is not paused any more, and the worker hears of the next pause. */
async function outlivesPause({ queue, completed, counted, story }: Context, other: Context['queue']): Promise<void> {
  const before = story.of('completed').length
  await queue.pause()
  await other.drop()
  await insist(RECOVERY, () => other.add('a', 1, { id: 'unpaused', deadline: 2_000 }))
  await completed(before + 1, RECOVERY)
  await queue.pause()
  await queue.add('a', 1, { id: 'held' })
  await quiet(300, 'a start while paused', () => story.tally())
  await counted({ waiting: 1 })
  await queue.resume()
  await completed(before + 2)
}
