import { expect, quiet, until } from '../assert.ts'
import { fail } from '../fail.ts'
import { patiently } from '../wait.ts'
import type { Case } from '../case.ts'

/** What a redriven job keeps of its first life, and in which order many of them run. */
export const redriven: readonly Case[] = [
  {
    id: 'DLQ-14',
    title:
      'a redriven job waits for no delay and opens no dedup window: it runs at once, and its id is free when it has completed',
    run: async ({ queue, work, story, died, completed, features }) => {
      let broken = true
      const delay = patiently(2_000)
      await work(() => void (broken && fail()))
      const options = { ...(features.delay && { delay }), ...(features.dedup && { dedup: { ttl: 600_000 } }) }
      await queue.add('a', 1, { id: 'x', headers: { h: '1' }, ...(features.priority && { priority: 3 }), ...options })
      await died(1)
      broken = false
      const before = Date.now()
      const { uid } = await queue.deadLetters.redrive('x')
      await completed(1)
      expect(story.of('active', 'x').at(-1)).to.include({ uid, attempt: 1, crashes: 0 })
      expect(story.of('active', 'x').at(-1)!.at - before, 'its wait, ms').to.be.below(delay)
      expect(await queue.add('a', 2, { id: 'x' }), 'the id after its completion').to.include({ added: true })
      await completed(2)
    },
  },
  {
    id: 'DLQ-15',
    title: 'redriveAll lets the oldest run first: more than a page of them, in the order of their deaths',
    needs: 'ordered',
    run: async ({ queue, work, story, died, completed }) => {
      const worker = await work(fail)
      const ids = Array.from({ length: 130 }, (_, i) => `dead-${i}`)
      await queue.addMany(ids.map((id) => ({ name: 'a', data: 1, options: { id } })))
      await died(ids.length)
      expect(story.ids('dead')).to.deep.equal(ids)
      await worker.stop()
      expect(await queue.deadLetters.redriveAll()).to.deep.equal({ redriven: ids.length, skipped: 0 })
      const order: string[] = []
      await work(({ id }) => void order.push(id))
      await completed(ids.length)
      await quiet(100, 'another run', () => story.tally())
      expect(order).to.deep.equal(ids)
      await until(
        async () => (await queue.counts()).dead === 0,
        'no dead letter',
        () => story.tally(),
      )
    },
  },
]
