import { RetryError } from '@jobport/core'
import { expect, quiet, until } from '../assert.ts'
import { Pulse, SLUGGISH } from '../pulse.ts'
import { patiently, pause } from '../wait.ts'
import type { Case } from '../case.ts'
import type { Context } from '../context.ts'

/** Of delayed jobs, one at a time on an idle worker. */
const SAMPLES = 30
/** Of them, this many may be late for a reason of their own: a new connection, a collection of garbage. */
const STRAYS = 3
/** What a start may take on a machine that has time, ms. */
const START = 30
/** How long to look for moments in which there is time, ms. */
const LOOKING = 40_000
/** Jobs whose order is looked at. */
const JOBS = 8
/** Between two due times, beyond what the feature declares: an add takes its time, too, ms. */
const APART = 150

/** When what is due starts, and in which order. */
export const due: readonly Case[] = [
  {
    id: 'DEL-15',
    title: 'on an idle worker each job starts within the declared granularity of its due time, wherever the machine has time',
    needs: 'delay',
    run: async (ctx) => {
      const { queue, work, story, random, late, untested } = ctx
      const { granularity } = declared(ctx)
      const pulse = new Pulse(ctx.another('pulse'), { pace: 25, late: SLUGGISH })
      await work(() => 1)
      const lateness: number[] = []
      const end = performance.now() + LOOKING
      for (let i = 0; lateness.length < SAMPLES && performance.now() < end; i++) {
        const id = `idle-${i}`
        const at = new Date(Date.now() + 20 + Math.floor(random() * 400))
        await queue.add('a', 1, { id, at })
        await until(
          () => story.of('completed', id).length === 1,
          'its run',
          () => story.tally(),
        )
        const start = story.of('active', id)[0]!.at
        expect(start, 'an early start').to.be.at.least(at.getTime())
        if (pulse.wasLate(at.getTime() - SLUGGISH, start + SLUGGISH)) continue
        lateness.push(start - at.getTime())
        late(start - at.getTime())
      }
      await pulse.stop()
      const tooLate = lateness.filter((ms) => ms > granularity + START)
      expect(tooLate.length, `of ${lateness.length} starts, those later than declared: ${tooLate.join(' ')} ms`).to.be.at.most(
        STRAYS,
      )
      if (lateness.length < SAMPLES)
        untested.push(`lateness: the machine had time for ${lateness.length} of ${SAMPLES} starts only`)
    },
  },
  {
    id: 'DEL-16',
    title: 'in order of due time, as finely as declared: beside an idle worker, overdue at its start, and within retries',
    needs: 'delay',
    run: async (ctx) => {
      await inOrder(ctx, 'beside')
      await inOrder(ctx, 'overdue')
      await inOrderOfRetries(ctx)
      await measured(ctx)
    },
  },
  {
    id: 'DEL-17',
    title: 'an overdue job counts and is listed as waiting, with no worker and while the queue is paused',
    needs: 'delay',
    run: async (ctx) => {
      const { queue, another, work, story, completed, features } = ctx
      await queue.add('a', 1, { id: 'overdue', delay: 300 })
      await queue.add('a', 1, { id: 'later', delay: 600_000 })
      await isWaiting(ctx, queue)
      const paused = another('paused')
      if (features.pause) {
        await work(() => 1, {}, { queue: paused.name })
        await paused.pause()
        await paused.add('a', 1, { id: 'overdue', delay: 300 })
        await paused.add('a', 1, { id: 'later', delay: 600_000 })
        await isWaiting(ctx, paused)
        await quiet(200, 'a start while paused', () => story.tally())
        await paused.resume()
        await completed(1)
      }
      await work(() => 1)
      await completed(features.pause ? 2 : 1)
    },
  },
]

function declared({ features }: Context): { granularity: number; resolution: number } {
  if (!features.delay) throw new Error('the case needs delay')
  return features.delay
}

async function isWaiting({ counted, features }: Context, queue: Context['queue']): Promise<void> {
  await counted({ waiting: 1, delayed: 1, active: 0 }, queue)
  if (!features.inspect) return
  expect(await queue.get('overdue')).to.include({ id: 'overdue', state: 'waiting' })
  expect(await queue.get('later')).to.include({ id: 'later', state: 'delayed' })
  expect((await queue.list('waiting')).jobs.map(({ id }) => id)).to.deep.equal(['overdue'])
  expect((await queue.list('delayed')).jobs.map(({ id }) => id)).to.deep.equal(['later'])
}

/** Jobs that are added in the reverse order of their due times. */
async function inOrder(ctx: Context, way: 'beside' | 'overdue'): Promise<void> {
  const { another, work, story, untested } = ctx
  const queue = another(way)
  const step = declared(ctx).resolution + APART
  const ids = Array.from({ length: JOBS }, (_, i) => `${way}-${i}`)
  if (way === 'beside') await work(() => 1, {}, { queue: queue.name })
  const first = Date.now() + patiently(2_000)
  for (const [i, id] of [...ids.entries()].toReversed()) await queue.add('a', 1, { id, at: new Date(first + i * step) })
  const isTimely = Date.now() < first
  if (way === 'overdue') {
    await pause(first + JOBS * step + declared(ctx).granularity - Date.now())
    await work(() => 1, {}, { queue: queue.name })
  }
  const started = (): string[] => story.ids('active').filter((id) => ids.includes(id))
  await until(
    () => started().length === JOBS,
    'all starts',
    () => story.tally(),
  )
  if (isTimely) expect(started(), way).to.deep.equal(ids)
  else untested.push(`order of due time, ${way}: the adds took longer than the first job's wait`)
}

/** Jobs that fail in one order, and wait so that they are due in the reverse one. */
async function inOrderOfRetries(ctx: Context): Promise<void> {
  const { another, work, story, untested } = ctx
  const queue = another('retries')
  const step = declared(ctx).resolution + APART
  const ids = Array.from({ length: JOBS }, (_, i) => `retry-${i}`)
  const waits = new Map(ids.map((id, i) => [id, 1_000 + (JOBS - i) * step]))
  const threw = new Map<string, number>()
  await queue.addMany(ids.map((id) => ({ name: 'a', data: 1, options: { id, attempts: 2 } })))
  await work(
    ({ id, attempt }) => {
      if (attempt !== 1) return
      threw.set(id, Date.now())
      throw new RetryError('later', { delay: waits.get(id)! })
    },
    {},
    { queue: queue.name },
  )
  const second = (): string[] => story.of('active').flatMap(({ id, attempt }) => (ids.includes(id) && attempt === 2 ? [id] : []))
  await until(
    () => second().length === JOBS,
    'all retries',
    () => story.tally(),
  )
  // its wait begins somewhere between the throw and the word that it is stored
  const told = new Map(story.of('failed').map(({ id, at }) => [id, at]))
  const soonest = (id: string): number => threw.get(id)! + waits.get(id)!
  const latest = (id: string): number => (told.get(id) ?? Infinity) + waits.get(id)!
  const isFirst = (one: string, other: string): boolean => latest(one) + declared(ctx).resolution < soonest(other)
  const wrong = second().flatMap((id, n, all) =>
    all
      .slice(n + 1)
      .filter((later) => isFirst(later, id))
      .map((later) => [id, later]),
  )
  expect(wrong, `retries that started before one that was due first; all, as they started: ${second().join(' ')}`).to.deep.equal(
    [],
  )
  if (!ids.some((id) => ids.some((other) => isFirst(id, other))))
    untested.push('order of retries: to store them took longer than they were apart')
}

/** By how much of its due time each of many jobs is overtaken that fall due close to each other, added in any order. */
async function measured(ctx: Context): Promise<void> {
  const { another, work, story, random, overtaken, untested } = ctx
  const queue = another('close')
  const first = Date.now() + patiently(1_000)
  const dues = Array.from({ length: 60 }, (_, i) => ({ id: `close-${i}`, at: first + i * 15 })).toSorted(() => random() - 0.5)
  await queue.addMany(dues.map(({ id, at }) => ({ name: 'a', data: 1, options: { id, at: new Date(at) } })))
  if (Date.now() >= first)
    return void untested.push("order of due time, close to each other: the adds took longer than the first job's wait")
  await work(() => 1, {}, { queue: queue.name })
  const dueOf = new Map(dues.map(({ id, at }) => [id, at]))
  const started = (): number[] => story.ids('active').flatMap((id) => dueOf.get(id) ?? [])
  await until(
    () => started().length === dues.length,
    'all starts',
    () => story.tally(),
  )
  let latest = 0
  for (const at of started()) {
    latest = Math.max(latest, at)
    overtaken(latest - at)
    expect(latest - at, 'by how much of its due time a job was overtaken, ms').to.be.at.most(declared(ctx).resolution + APART)
  }
}
