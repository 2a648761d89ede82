import { expect, quiet, refusal, until } from '../assert.ts'
import { refusing } from '../tamper.ts'
import { REDELIVERY } from './crashes.ts'
import type { Delivery, Outcome } from '@jobport/core/driver'
import type { Case } from '../case.ts'
import type { Broker, JobportError, Queue, Worker } from '@jobport/core'
import type { AnyJobs, Context } from '../context.ts'

/** Until core gives up a delivery that cannot be settled, ms. */
const GIVING_UP = 60_000
/** Of the details of an error that a refusing broker takes, characters of JSON. */
const SHORT = 200

/** What becomes of a delivery whose outcome the broker refuses, or that nobody can settle. */
export const refusals: readonly Case[] = [
  {
    id: 'SET-02',
    title: 'a result that the broker refuses: the job completes without it, once, an error event says so, its neighbours run',
    run: async (ctx) => {
      const { queue, story, completed, counted } = ctx
      const hasResult = (outcome: Outcome): boolean => outcome.type === 'complete' && outcome.result !== null
      await workOn(ctx, hasResult, ({ name }) => (name === 'tells' ? { told: true } : undefined))
      for (let i = 0; i < 4; i++) await queue.add('tells', i, { attempts: 3 })
      await queue.addMany(Array.from({ length: 10 }, (_, i) => ({ name: 'silent', data: i })))
      await completed(14)
      await quiet(200, 'another run', () => story.tally())
      expect(story.tally()).to.deep.equal({ active: 14, completed: 14 })
      await counted({ waiting: 0, delayed: 0, active: 0, dead: 0 })
      expect(story.errors.length, 'error events').to.be.at.least(4)
    },
  },
  {
    id: 'SET-03',
    title: 'details of an error that the broker refuses: the job is retried and dies all the same, and an error event says so',
    run: async (ctx) => {
      const { queue, story, completed, died, counted } = ctx
      const isLong = (outcome: Outcome): boolean => 'error' in outcome && JSON.stringify(outcome.error ?? '').length > SHORT
      const handler = ({ name }: { readonly name: string }): void => {
        if (name === 'fails') throw new Error('x'.repeat(2 * SHORT))
      }
      await workOn(ctx, isLong, handler)
      for (let i = 0; i < 3; i++) await queue.add('fails', i, { id: `fails-${i}`, attempts: 2 })
      await queue.addMany(Array.from({ length: 10 }, (_, i) => ({ name: 'fine', data: i })))
      await died(3)
      await completed(10)
      await quiet(200, 'another run', () => story.tally())
      expect(story.tally()).to.deep.equal({ active: 16, failed: 6, dead: 3, completed: 10 })
      await counted({ waiting: 0, delayed: 0, active: 0, dead: 3 })
      for (const { id, attempt, reason, error } of (await queue.deadLetters.list()).jobs) {
        expect({ attempt, reason }, id).to.deep.equal({ attempt: 2, reason: 'attempts' })
        expect(error!.message, id).to.be.a('string')
      }
      expect(story.errors.length, 'error events').to.be.at.least(6)
    },
  },
  {
    id: 'SET-04',
    title:
      'a delivery that cannot be settled at all is given up: its slot is free again, and the job comes back as one crash more',
    slow: true,
    run: async (ctx) => {
      const { queue, story, completed, counted } = ctx
      const refused = new Set<Delivery>()
      const firstOf = (_outcome: Outcome, delivery: Delivery): boolean => {
        const isFirst = delivery.message.name === 'cursed' && delivery.crashes === 0
        if (isFirst) refused.add(delivery)
        return isFirst
      }
      const { worker, client } = await workOn(ctx, firstOf, () => 1)
      for (const id of ['one', 'two']) await queue.add('cursed', 1, { id, attempts: 2 })
      await until(
        () => refused.size === 2,
        'two refusals',
        () => story.tally(),
      )
      await until(
        () => worker.stuck === 2,
        'two stuck slots',
        () => worker.stuck,
      )
      expect((await client.health()).ok, 'health of a worker whose slots are stuck').to.equal(false)
      await queue.addMany(Array.from({ length: 10 }, (_, i) => ({ name: 'fine', data: i })))
      await completed(12, GIVING_UP + REDELIVERY)
      expect(story.of('stalled').map(({ id }) => id)).to.have.members(['one', 'two'])
      for (const id of ['one', 'two'])
        expect(story.of('active', id).map(({ attempt, crashes }) => [attempt, crashes])).to.deep.equal([
          [1, 0],
          [1, 1],
        ])
      expect(story.errors.length, 'error events').to.be.at.least(2)
      await counted({ waiting: 0, delayed: 0, active: 0, dead: 0 })
      await until(
        () => worker.running === 0,
        'no slot that is still taken',
        () => worker.running,
      )
      expect(worker.stuck).to.equal(0)
      expect((await client.health()).ok).to.equal(true)
    },
  },
  {
    id: 'SET-05',
    title:
      'abandon frees its slot at once, and the job comes back as one crash more of the same attempt; what is late is refused',
    run: async (ctx) => {
      await abandonedIn(ctx.another('given'), { id: 'x' }, ctx)
      await abandonedIn(ctx.another('made'), {}, ctx)
    },
  },
  {
    id: 'SET-06',
    title:
      'a lease that has run out while another runs the job: no late settlement is accepted, and the newer run ends as it will',
    run: async ({ queue, take, counted }) => {
      const late: readonly Outcome[] = [
        { type: 'complete', result: null },
        { type: 'again', delay: 0, attempt: 9 },
        { type: 'release' },
        { type: 'dead', reason: 'attempts', error: { name: 'Error', message: 'old' } },
      ]
      const first = await take(late.length)
      for (const { type } of late) await queue.add('a', 1, { id: type, attempts: 5 })
      await until(
        () => first.deliveries.length === late.length,
        'the first deliveries',
        () => first.deliveries.length,
      )
      await first.stop()
      for (const delivery of first.deliveries) delivery.abandon()
      const second = await take(late.length)
      await until(
        () => second.deliveries.length === late.length,
        'the second deliveries',
        () => second.deliveries.length,
        REDELIVERY,
      )
      for (const delivery of first.deliveries) {
        const outcome = late.find(({ type }) => type === delivery.message.id)!
        const answer = await delivery.settle(outcome).catch((error: JobportError) => error)
        expect(answer, `what a late '${outcome.type}' was answered`).to.have.property('code', 'LEASE_LOST')
      }
      await counted({ waiting: 0, delayed: 0, active: late.length, dead: 0 })
      for (const delivery of second.deliveries) {
        expect(delivery).to.include({ attempt: 1, crashes: 1 })
        await delivery.settle({ type: 'complete', result: null })
      }
      await counted({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    },
  },
]

/** Two slots, on a broker that refuses some outcomes. */
async function workOn(
  { harness, broker, work }: Context,
  refuses: (outcome: Outcome, delivery: Delivery) => boolean,
  handler: (job: { readonly name: string }) => unknown,
): Promise<{ worker: Worker<AnyJobs>; client: Broker }> {
  const client = broker({}, refusing(harness.createDriver(), refuses))
  return { client, worker: await work(handler, { concurrency: 2 }, { broker: client }) }
}

/** Of a job whose id was given, or made by core: where only the former are known one by one, the broker counts the others. */
async function abandonedIn(queue: Queue<AnyJobs>, given: { readonly id?: string }, { take, counted }: Context): Promise<void> {
  const { uid } = await queue.add('a', 'given up', { ...given, attempts: 3 })
  const { deliveries } = await take(1, queue.name)
  const nth = async (count: number): Promise<Delivery> => {
    await until(
      () => deliveries.length >= count,
      `delivery ${count}`,
      () => deliveries.map(({ message, attempt, crashes }) => [message.id, attempt, crashes]),
      REDELIVERY,
    )
    return deliveries[count - 1]!
  }
  await (await nth(1)).settle({ type: 'again', delay: 0, attempt: 2 })
  const lost = await nth(2)
  expect(lost.message.uid).to.equal(uid)
  await queue.add('a', 'next')
  lost.abandon()
  lost.abandon()
  const one = await nth(3)
  await one.settle({ type: 'complete', result: null })
  const other = await nth(4)
  const [back, next] = one.message.uid === uid ? [one, other] : [other, one]
  expect(next.message.data).to.equal('next')
  expect(back.message).to.include({ uid, data: 'given up' })
  expect({ attempt: back.attempt, crashes: back.crashes, stalled: back.stalled }).to.deep.equal({
    attempt: 2,
    crashes: 1,
    stalled: true,
  })
  await refusal(lost.settle({ type: 'complete', result: null }), 'LEASE_LOST')
  await other.settle({ type: 'complete', result: null })
  await quiet(200, 'another delivery', () => deliveries.length)
  await counted({ waiting: 0, delayed: 0, active: 0, dead: 0 }, queue)
}
