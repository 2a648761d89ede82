import { expect, quiet, refusal, until } from '../assert.ts'
import type { Case } from '../case.ts'
import type { Context } from '../context.ts'
import type { Delivery, Outcome } from '@jobport/core/driver'

/** More pieces than any client sends for one add. */
const MOST_STEPS = 16

const OLD: Extract<Outcome, { type: 'dead' }> = { type: 'dead', reason: 'attempts', error: { name: 'Error', message: 'old' } }

/** An id outlives many jobs: what of an old life, or of a lost add, may touch the next one. */
export const lives: readonly Case[] = [
  {
    id: 'DUP-10',
    title: 'the confirmation is lost: UNCONFIRMED with the id, and adding again leaves one job that runs once',
    needs: 'durable',
    processes: true,
    wire: true,
    run: async (ctx) => {
      const { queue, proxy, broker, harness, work, story, completed } = ctx
      const { proxy: between, url } = await proxy()
      const far = broker({}, harness.createDriver(url))
      const producer = far.queue(queue.name)
      await producer.add('a', 0, { id: 'before' })
      between.set({ at: 1, forward: true, spring: () => {} })
      const error = await refusal(producer.add('a', 1, { id: 'x', deadline: 1_000 }), 'UNCONFIRMED')
      expect(error.id).to.equal('x')
      between.heal()
      const again = await queue.add('a', 1, { id: 'x' })
      expect(await waiting(ctx)).to.equal(2)
      if (!again.added) expect(again.id).to.equal('x')
      await work(() => 1)
      await completed(2)
      await quiet(300, 'another run', () => story.tally())
      expect(story.ids('completed')).to.have.members(['before', 'x'])
    },
  },
  {
    id: 'ID-K1',
    title:
      'a producer dies at each step of an add with a given id: adding again ends in one run, and is refused only for a job that exists',
    run: async (ctx) => {
      const ids = await (ctx.wire && ctx.features.durable ? killedAdds(ctx) : abandonedAdds(ctx))
      expect(ids.length, 'steps').to.be.at.least(2)
      const { queue, work, story, completed, exactly } = ctx
      expect(await waiting(ctx)).to.equal(ids.length)
      expect(await queue.counts()).to.include({ active: 0, delayed: 0 })
      await work(() => 1, { concurrency: 5 })
      await completed(ids.length)
      await quiet(300, 'another run', () => story.tally())
      exactly(ids, story.ids('active'), 'started')
    },
  },
  {
    id: 'ID-K2',
    title: 'nothing late or repeated of a finished life touches a newer one of the same id',
    run: async (ctx) => {
      const { queue, take, counted } = ctx
      for (const end of [{ type: 'complete', result: null }, OLD] as const) {
        await queue.add('a', 'old', { id: 'x', attempts: 5 })
        const first = await take(1)
        const lost = await nextOf(first.deliveries)
        await first.driver.close()
        const second = await take(1)
        const old = await nextOf(second.deliveries)
        await second.stop()
        await old.settle(end)
        const { uid } = await queue.add('a', 'newer', { id: 'x', attempts: 5 })
        for (const late of [lost, old]) await lateSettlements(late)
        await counted({ waiting: 1, active: 0, delayed: 0 })
        expect(await queue.add('a', 'twin', { id: 'x' })).to.include({ added: false })
        const third = await take(1)
        const newer = await nextOf(third.deliveries)
        expect(newer.message).to.include({ id: 'x', uid, data: 'newer' })
        expect(newer).to.include({ attempt: 1, crashes: 0 })
        for (const late of [lost, old]) await lateSettlements(late)
        await counted({ waiting: 0, active: 1, delayed: 0 })
        expect(await queue.add('a', 'twin', { id: 'x' })).to.include({ added: false })
        await newer.settle({ type: 'complete', result: null })
        await third.stop()
        await counted({ waiting: 0, active: 0, delayed: 0 })
      }
      expect((await queue.deadLetters.list()).jobs.map(({ data }) => data)).to.deep.equal(['old'])
    },
  },
  {
    id: 'ID-K3',
    title:
      'two dead letters of one id: the newest is meant; redriving while the id is live is DUPLICATE, redriveAll skips and counts',
    run: async ({ queue, work, died, completed, story }) => {
      const worker = await work(() => Promise.reject(new Error('no')))
      for (let i = 1; i <= 2; i++) {
        await queue.add('a', i, { id: 'x' })
        await died(i)
      }
      await worker.stop()
      const letters = async (): Promise<unknown[]> =>
        (await queue.deadLetters.list()).jobs.map(({ id, data }) => `${id} ${String(data)}`)
      expect(await letters()).to.deep.equal(['x 2', 'x 1'])
      expect(await queue.deadLetters.get('x')).to.include({ id: 'x', data: 2, state: 'dead' })
      const live = await queue.add('a', 'live', { id: 'x' })
      expect((await refusal(queue.deadLetters.redrive('x'), 'DUPLICATE')).id).to.equal('x')
      expect(await queue.deadLetters.redriveAll()).to.deep.equal({ redriven: 0, skipped: 2 })
      expect(await letters()).to.deep.equal(['x 2', 'x 1'])
      const second = await work(() => 1)
      await completed(1)
      await second.stop()
      const risen = await queue.deadLetters.redrive('x')
      expect(risen).to.include({ id: 'x', added: true })
      expect(risen.uid).not.to.equal(live.uid)
      expect(await letters()).to.deep.equal(['x 1'])
      expect(await queue.deadLetters.redriveAll()).to.deep.equal({ redriven: 0, skipped: 1 })
      const seen: unknown[] = []
      const third = await work(({ data, uid }) => void seen.push([data, uid]))
      await completed(2)
      await third.stop()
      expect(seen).to.deep.equal([[2, risen.uid]])
      expect(await queue.deadLetters.remove('x')).to.equal(true)
      expect(await queue.deadLetters.remove('x')).to.equal(false)
      expect(story.of('dead')).to.have.length(2)
      expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    },
  },
  {
    id: 'ID-K4',
    title: 'dedup.ttl keeps the id of a completed job taken; a longer job gets no twin; death, removal and redrive free it',
    needs: 'dedup',
    run: async ({ queue, work, features, completed, died, story }) => {
      const gate = Promise.withResolvers<void>()
      await work({ ok: () => 1, held: () => gate.promise, bad: () => Promise.reject(new Error('no')) }, { concurrency: 5 })
      const addedAt = Date.now()
      await queue.add('held', 1, { id: 'long', dedup: { ttl: 1_000 } })
      await queue.add('ok', 1, { id: 'quick', dedup: { ttl: 2_000 } })
      await completed(1)
      expect(await queue.add('ok', 2, { id: 'quick' })).to.include({ added: false })
      await queue.add('bad', 1, { id: 'dead', dedup: { ttl: 60_000 } })
      await died(1)
      await queue.deadLetters.redrive('dead')
      await died(2)
      expect(await queue.add('ok', 2, { id: 'dead' }), 'after death').to.include({ added: true })
      await completed(2)
      expect(await queue.add('ok', 3, { id: 'dead' }), 'after death and a job without ttl').to.include({ added: true })
      if (features.cancel && features.delay) {
        await queue.add('ok', 1, { id: 'removed', delay: 60_000, dedup: { ttl: 60_000 } })
        expect(await queue.remove('removed')).to.equal(true)
        expect(await queue.add('ok', 2, { id: 'removed' }), 'after removal').to.include({ added: true })
      }
      await until(
        () => Date.now() > addedAt + 1_300,
        'the end of the shorter ttl',
        () => Date.now(),
      )
      expect(await queue.add('held', 2, { id: 'long' }), 'a twin of the job that outlived its ttl').to.include({ added: false })
      await until(
        async () => (await queue.add('ok', 4, { id: 'quick' })).added,
        'the end of the longer ttl',
        () => Date.now() - addedAt,
        5_000,
      )
      expect(Date.now() - addedAt, 'the id was taken for, ms').to.be.at.least(2_000)
      gate.resolve()
      await until(
        () => story.of('completed', 'long').length === 1,
        'the end of the long job',
        () => story.tally(),
      )
      expect(await queue.add('ok', 3, { id: 'long' }), 'after a completion past the ttl').to.include({ added: true })
    },
  },
]

async function nextOf(deliveries: readonly Delivery[]): Promise<Delivery> {
  await until(
    () => deliveries.length > 0,
    'a delivery',
    () => deliveries.length,
  )
  return deliveries[0]!
}

async function lateSettlements(delivery: Delivery): Promise<void> {
  for (const outcome of [
    { type: 'complete', result: null },
    OLD,
    { type: 'again', delay: 0, attempt: 9 },
    { type: 'release' },
  ] as const) {
    await refusal(delivery.settle(outcome), 'LEASE_LOST')
  }
}

/** SIGKILLs a producer when it has sent its n-th piece of an add, for each n, with that piece lost and with it delivered. */
async function killedAdds(ctx: Context): Promise<string[]> {
  const { proxy, child } = ctx
  const ids: string[] = []
  for (const forward of [true, false]) {
    for (let at = 1; at <= MOST_STEPS; at++) {
      const { proxy: between, url } = await proxy()
      const producer = await child({ role: 'producer', url })
      const id = `${forward ? 'delivered' : 'lost'}-${at}`
      ids.push(id)
      let killed: Promise<void> | undefined
      between.set({ at, forward, spring: () => void (killed = producer.kill()) })
      producer.add({ name: 'a', data: id, options: { id } })
      await until(
        () => killed !== undefined || producer.of('added').length > 0,
        'the end of the add',
        () => producer.reports,
      )
      await killed
      await producer.discard()
      between.heal()
      await again(ctx, id)
      if (!killed) break
    }
  }
  expect(await waiting(ctx)).to.equal(ids.length)
  return ids
}

/** The same in one process: the client is gone some turns of the event loop after the add began. */
async function abandonedAdds(ctx: Context): Promise<string[]> {
  const ids: string[] = []
  for (let turns = 0; turns < 12; turns++) {
    const client = ctx.broker()
    const id = `abandoned-${turns}`
    ids.push(id)
    const adding = client
      .queue(ctx.queue.name)
      .add('a', id, { id })
      .catch(() => undefined)
    for (let i = 0; i < turns; i++) await Promise.resolve()
    await (await client.driver().catch(() => undefined))?.close()
    await adding
    await again(ctx, id)
  }
  return ids
}

/** Adding again: refused only for a job that is there. */
async function again(ctx: Context, id: string): Promise<void> {
  const { queue, features } = ctx
  const before = await waiting(ctx)
  const { added } = await queue.add('a', id, { id })
  const after = await waiting(ctx)
  expect(after - before, `${id}: jobs that the second add made`).to.equal(added ? 1 : 0)
  if (features.inspect) expect(await queue.get(id), id).to.include({ id, state: 'waiting' })
}

/**
 * Waiting jobs, all of given ids. Where only these are known, what an add left behind half done may lie in the queue and be
 * counted until a worker finds that it is no job; the list shows jobs only.
 */
async function waiting({ queue, features }: Context): Promise<number> {
  if (features.inspect !== 'given') return (await queue.counts()).waiting
  const { jobs } = await queue.list('waiting', { limit: 1_000 })
  return jobs.length
}
