import { expect, quiet, refusal, until } from '../assert.ts'
import type { Case } from '../case.ts'

export const ordering: readonly Case[] = [
  {
    id: 'ORD-01',
    title: 'a lone worker at concurrency 1 starts jobs in order of arrival: 300',
    needs: 'ordered',
    run: async ({ queue, work, completed }) => {
      const order: unknown[] = []
      for (let i = 0; i < 100; i++) await queue.add('a', i)
      await queue.addMany(Array.from({ length: 200 }, (_, i) => ({ name: 'a', data: 100 + i })))
      await work((job) => void order.push(job.data))
      await completed(300)
      expect(order).to.deep.equal(Array.from({ length: 300 }, (_, i) => i))
    },
  },
  {
    id: 'ORD-03',
    title: 'the next job starts only after the one before was settled, also beside retries',
    needs: 'ordered',
    run: async ({ queue, take }) => {
      await queue.addMany(Array.from({ length: 20 }, (_, i) => ({ name: 'a', data: i, options: { attempts: 2 } })))
      const { deliveries } = await take(1)
      for (let settled = 0; settled < 21; settled++) {
        await until(
          () => deliveries.length > settled,
          `delivery ${settled + 1}`,
          () => deliveries.length,
        )
        expect(deliveries, 'unsettled at once').to.have.length(settled + 1)
        const delivery = deliveries[settled]!
        const { message, attempt } = delivery
        await delivery.settle(
          message.data === 3 && attempt === 1 ? { type: 'again', delay: 0, attempt: 2 } : { type: 'complete', result: null },
        )
      }
      await quiet(100, 'another delivery', () => deliveries.length)
    },
  },
  {
    id: 'ORD-04',
    title: 'absent and 0 first, then 1 to 9, each in order of arrival; a late urgent job overtakes; others are refused',
    needs: 'priority',
    run: async ({ queue, work, completed, features }) => {
      const order: string[] = []
      const priorities = [5, undefined, 9, 1, 0, 5, undefined, 1]
      for (const [i, priority] of priorities.entries())
        await queue.add('a', `${priority ?? 0}-${i}`, priority === undefined ? {} : { priority })
      const gate = Promise.withResolvers<void>()
      await work(async (job) => {
        order.push(job.data as string)
        if (order.length === 1) await gate.promise
      })
      await queue.add('a', '0-late')
      await queue.add('a', '1-late', { priority: 1 })
      gate.resolve()
      await completed(10)
      const wanted = ['0-1', '0-4', '0-6', '0-late', '1-3', '1-7', '1-late', '5-0', '5-5', '9-2']
      if (features.ordered) expect(order).to.deep.equal(wanted)
      else expect(order.map((entry) => entry[0])).to.deep.equal(wanted.map((entry) => entry[0]))
      for (const priority of [-1, 10, 1.5, NaN, '1'])
        await refusal(queue.add('a', 1, { priority: priority as number }), 'INVALID_ARGUMENT')
    },
  },
]
