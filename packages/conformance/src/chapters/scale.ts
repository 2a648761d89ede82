import { expect, until } from '../assert.ts'
import type { Case } from '../case.ts'
import type { Context } from '../context.ts'

const CYCLES = 20
/** Jobs that wait for their workers, and that come due at once; and how many of them are added at a time. */
const BACKLOG = 1_000_000
const CROWD = 100_000
const BATCH = 1_000
const BATCH_DEADLINE = 60_000
/** For all of them to be worked, ms. */
const DRAIN = 2_400_000
/** Longest until the last of a delayed crowd has been added, ms. */
const GATHERING = 300_000
const QUEUES = 1_000
/** Queues that are worked at one time. */
const AT_ONCE = 20
const REMOVALS = 4_000
const PAYLOADS = 100
/** What stands around a text in JSON, bytes. */
const QUOTES = 2

/** Much of everything. */
export const scale: readonly Case[] = [
  {
    id: 'SCA-02',
    title: '1,000,000 jobs wait, and are drained: each of them runs',
    needs: 'durable',
    slow: true,
    run: async (ctx) => {
      await crowd(ctx, BACKLOG, () => ({}))
      await ctx.counted({ waiting: BACKLOG })
      await drained(ctx, BACKLOG)
    },
  },
  {
    id: 'SCA-03',
    title: '1,000 queues: each keeps its job and gives it to its own worker',
    needs: 'durable',
    slow: true,
    run: async ({ another, main, story, exactly }) => {
      const queues = Array.from({ length: QUEUES }, () => another('q'))
      for (let i = 0; i < QUEUES; i += AT_ONCE)
        await Promise.all(
          queues.slice(i, i + AT_ONCE).map(({ name }) => main.queue(name).add('a', 1, { id: name, deadline: BATCH_DEADLINE })),
        )
      const right: string[] = []
      for (let i = 0; i < QUEUES; i += AT_ONCE) {
        const workers = queues
          .slice(i, i + AT_ONCE)
          .map(({ name }) => main.worker(name, ({ id }) => void (id === name && right.push(id))))
        for (const worker of workers) story.follow(worker)
        await until(
          () => story.of('completed').length >= i + workers.length,
          'the jobs of these queues',
          () => story.tally(),
          BATCH_DEADLINE,
        )
        await Promise.all(workers.map((worker) => worker.stop()))
      }
      exactly(
        queues.map(({ name }) => name),
        right,
        'jobs in the hands of their own workers',
      )
    },
  },
  {
    id: 'SCA-04',
    title: '4,000 delayed jobs are removed, one by one, while others run: none of them ever runs',
    needs: 'cancel',
    slow: true,
    run: async (ctx) => {
      const { queue, work, story, features, counted } = ctx
      const ids = Array.from({ length: REMOVALS }, (_, i) => `r-${i}`)
      for (let i = 0; i < REMOVALS; i += BATCH) {
        const jobs = ids
          .slice(i, i + BATCH)
          .map((id) => ({ name: 'a', data: 1, options: { id, ...(features.delay && { delay: 600_000 }) } }))
        await queue.addMany(jobs, { deadline: BATCH_DEADLINE })
      }
      const removed: boolean[] = []
      for (let i = 0; i < REMOVALS; i += AT_ONCE)
        removed.push(...(await Promise.all(ids.slice(i, i + AT_ONCE).map((id) => queue.remove(id)))))
      expect(removed.filter((answer) => !answer)).to.have.length(0)
      await counted({ waiting: 0, delayed: 0, active: 0 })
      await work(() => 1)
      await queue.add('a', 1, { id: 'other' })
      await ctx.completed(1)
      expect(story.ids('active')).to.deep.equal(['other'])
    },
  },
  {
    id: 'SCA-05',
    title: 'twenty clients that add, work and close leave no connection, timer or listener behind',
    run: async (ctx) => {
      const { queue, broker, story, completed } = ctx
      const cycle = async (number: number): Promise<void> => {
        const client = broker()
        story.follow(client.worker(queue.name, () => 1))
        await client.queue(queue.name).add('a', number, { id: `cycle-${number}` })
        await completed(number + 1)
        await client.close()
      }
      // what the first one loads and keeps for good is no leak
      await cycle(0)
      const before = resources()
      const warnings: Error[] = []
      const warned = (warning: Error): void => void warnings.push(warning)
      process.on('warning', warned)
      try {
        for (let number = 1; number <= CYCLES; number++) await cycle(number)
      } finally {
        process.off('warning', warned)
      }
      await until(
        () => resources() <= before,
        'an end of what was opened',
        () => [before, resources(), process.getActiveResourcesInfo()],
      )
      expect(warnings.map(({ name }) => name).filter((name) => name === 'MaxListenersExceededWarning')).to.deep.equal([])
    },
  },
  {
    id: 'SCA-07',
    title: '100,000 jobs are due in the same second: none starts before it, and each of them runs',
    needs: 'durable',
    slow: true,
    run: async (ctx) => {
      if (!ctx.features.delay) return ctx.counted({ delayed: 0 })
      const due = Date.now() + (await gathering(ctx))
      await crowd(ctx, CROWD, (i) => ({ delay: due + (i % 1_000) - Date.now() }))
      expect(Date.now(), 'all are added before the first is due').to.be.below(due)
      await ctx.counted({ waiting: 0, delayed: CROWD, active: 0 })
      await drained(ctx, CROWD, due)
    },
  },
  {
    id: 'SCA-09',
    title: '100 jobs of the largest payload, one after the other: each arrives whole',
    needs: 'durable',
    slow: true,
    run: async (ctx) => {
      const { queue, work, completed, driver } = ctx
      const { maxPayload } = await (await driver()).connect({ down: () => {}, up: () => {}, error: () => {} })
      const data = 'x'.repeat(maxPayload - QUOTES)
      let whole = 0
      await work((job) => void (job.data === data && whole++))
      for (let i = 0; i < PAYLOADS; i++) {
        await queue.add('a', data, { deadline: BATCH_DEADLINE })
        await completed(i + 1, BATCH_DEADLINE)
      }
      expect(whole).to.equal(PAYLOADS)
    },
  },
]

/** Adds so many that nothing which is kept for each of them would go unnoticed. */
async function crowd({ queue }: Context, count: number, options: (i: number) => { delay?: number }): Promise<void> {
  for (let start = 0; start < count; start += BATCH) {
    const jobs = Array.from({ length: BATCH }, (_, i) => ({ name: 'a', data: start + i, options: options(start + i) }))
    await queue.addMany(jobs, { deadline: BATCH_DEADLINE })
  }
}

/** How long adding a crowd takes, with as much again to spare, by the time that one batch takes; ms. */
async function gathering({ another }: Context): Promise<number> {
  const start = performance.now()
  const jobs = Array.from({ length: BATCH }, (_, i) => ({ name: 'a', data: i, options: { delay: GATHERING } }))
  await another('probe').addMany(jobs, { deadline: BATCH_DEADLINE })
  return Math.min(GATHERING, 10_000 + 2 * (performance.now() - start) * (CROWD / BATCH))
}

/** Works them all, in two workers. */
async function drained({ queue, broker, counted }: Context, count: number, due: number = 0): Promise<void> {
  const ran = new Uint8Array(count)
  let distinct = 0
  let early = 0
  const handler = ({ data }: { readonly data: unknown }): void => {
    const i = data as number
    if (Date.now() < due + (due === 0 ? 0 : i % 1_000)) early++
    if (ran[i] === 0) distinct++
    ran[i]!++
  }
  for (const client of [broker(), broker()]) client.worker(queue.name, handler, { concurrency: 50 })
  await until(
    () => distinct === count,
    'a run of each',
    () => ({ distinct }),
    DRAIN,
  )
  expect(early, 'started early').to.equal(0)
  await counted({ waiting: 0, delayed: 0, active: 0, dead: 0 }, undefined, BATCH_DEADLINE)
  // nothing was broken, but leases are short here, and a crowd that comes due at once can hold up their renewal
  expect(ran.filter((times) => times > 1).length, 'jobs that ran again').to.be.below(count / 100)
}

/** What keeps the process open, or could. */
function resources(): number {
  return process.getActiveResourcesInfo().length
}
