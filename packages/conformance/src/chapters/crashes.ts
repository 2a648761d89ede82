import { expect, until, within } from '../assert.ts'
import type { Case } from '../case.ts'
import type { Context } from '../context.ts'
import type { Child } from '../child.ts'

/** Leases run out within this, ms; suites set them short. */
export const REDELIVERY = 40_000

export const crashes: readonly Case[] = [
  {
    id: 'CRA-K1',
    title: 'four releases and four graceful stops, then success: no crash is counted',
    run: async ({ queue, take, work, story, completed }) => {
      await queue.add('a', 1)
      const counts: number[] = []
      const held = await take(1)
      for (let i = 0; i < 4; i++) {
        await until(
          () => held.deliveries.length > i,
          `delivery ${i + 1}`,
          () => counts,
        )
        counts.push(held.deliveries[i]!.crashes)
        if (i < 3) await held.deliveries[i]!.settle({ type: 'release' })
      }
      await held.stop()
      await held.deliveries[3]!.settle({ type: 'release' })
      for (let i = 0; i < 4; i++) {
        const { driver, deliveries } = await take(1)
        await until(
          () => deliveries.length > 0,
          `delivery after ${i} closes`,
          () => counts,
        )
        counts.push(deliveries[0]!.crashes)
        await within(6_000, 'closing with a job in hand', driver.close())
      }
      await work(() => 1)
      await completed(1)
      expect(counts).to.deep.equal([0, 0, 0, 0, 0, 0, 0, 0])
      expect(story.of('active')[0]).to.include({ crashes: 0, attempt: 1 })
      expect(story.of('stalled')).to.deep.equal([])
    },
  },
  {
    id: 'CRA-K2',
    title: 'a job that died of crashes can be redriven, and runs again',
    needs: 'durable',
    processes: true,
    run: async (ctx) => {
      const { queue, work, completed, story } = ctx
      await queue.add('die', 1, { id: 'poison', attempts: 5 })
      const tale = await workUntilDead(ctx, { concurrency: 1, crashLimit: 1 }, 1)
      expect(tale.starts.get('poison')).to.equal(2)
      expect(await queue.deadLetters.get('poison')).to.include({ reason: 'crashes', attempt: 1 })
      await queue.deadLetters.redrive('poison')
      await work({ die: () => 1 })
      await completed(1)
      expect(story.of('active')[0]).to.include({ id: 'poison', attempt: 1, crashes: 0 })
      expect(await queue.counts()).to.deep.equal({ waiting: 0, delayed: 0, active: 0, dead: 0 })
    },
  },
  {
    id: 'CRA-K3',
    title: 'a poison job with nine innocents at concurrency 10: the nine complete, the poison is dead',
    needs: 'durable',
    processes: true,
    run: async (ctx) => {
      const { queue, counted } = ctx
      const innocents = Array.from({ length: 9 }, (_, i) => `innocent-${i}`)
      await queue.addMany([
        ...innocents.map((id) => ({ name: 'wait', data: 400, options: { id } })),
        { name: 'die', data: 1, options: { id: 'poison', delay: 1 } },
      ])
      const tale = await workUntilDead(ctx, { concurrency: 10, crashLimit: 3 }, 1)
      expect(tale.dead).to.deep.equal(['poison crashes'])
      expect(tale.starts.get('poison')).to.be.within(2, 4)
      await ctx.work({ wait: () => 1 }, { concurrency: 1 })
      await ctx.completed(9 - tale.completed.length, REDELIVERY)
      ctx.exactly(innocents, [...tale.completed, ...ctx.story.ids('completed')], 'innocents completed')
      await counted({ waiting: 0, delayed: 0, active: 0, dead: 1 })
    },
  },
  {
    id: 'DLQ-06',
    title: 'a handler that kills its process ends in the dead letters, within attempts and crash limit',
    needs: 'durable',
    processes: true,
    run: async (ctx) => {
      const { queue } = ctx
      const { uid } = await queue.add('die', { kept: true }, { id: 'killer', attempts: 2, headers: { h: '1' } })
      const tale = await workUntilDead(ctx, { concurrency: 1, crashLimit: 2 }, 1)
      expect(tale.starts.get('killer')).to.equal(3)
      expect(tale.stalled).to.be.at.least(1)
      expect(await queue.deadLetters.get('killer')).to.deep.include({
        uid,
        reason: 'crashes',
        data: { kept: true },
        headers: { h: '1' },
        attempt: 1,
        crashes: 3,
      })
    },
  },
]

interface Tale {
  readonly starts: Map<string, number>
  readonly completed: string[]
  readonly dead: string[]
  readonly stalled: number
}

/** Starts a worker process again and again, as a supervisor would, until `deaths` jobs are dead. */
async function workUntilDead(ctx: Context, options: { concurrency: number; crashLimit: number }, deaths: number): Promise<Tale> {
  const children: Child[] = []
  const reports = <Type extends 'active' | 'completed' | 'dead' | 'stalled'>(type: Type) =>
    children.flatMap((child) => child.of(type))
  for (let i = 0; i < 8 && reports('dead').length < deaths; i++) {
    const child = await ctx.child({ role: 'worker', ...options })
    children.push(child)
    const over = (): boolean => !child.running || reports('dead').length >= deaths
    await until(over, 'a death, of the job or its process', () => children.map(({ reports: told }) => told.length), REDELIVERY)
  }
  expect(reports('dead').length, `deaths; told: ${JSON.stringify(children.map((child) => child.reports))}`).to.equal(deaths)
  const last = children.at(-1)!
  last.close()
  await last.ended()
  for (const child of children.slice(0, -1)) expect(child.end, 'the end of a process that kills itself').to.equal('SIGKILL')
  const starts = new Map<string, number>()
  for (const { id } of reports('active')) starts.set(id, (starts.get(id) ?? 0) + 1)
  return {
    starts,
    completed: reports('completed').map(({ id }) => id),
    dead: reports('dead').map(({ id, reason }) => `${String(id)} ${String(reason)}`),
    stalled: reports('stalled').length,
  }
}
