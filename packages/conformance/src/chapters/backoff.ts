import { RetryError } from '@jobport/core'
import { expect, until } from '../assert.ts'
import { fail } from '../fail.ts'
import type { Case } from '../case.ts'

/** When a failed job runs again. */
export const backoff: readonly Case[] = [
  {
    id: 'RET-04',
    title: "backoff: fixed, exponential with max, the worker's function, and its 'dead'",
    run: async ({ queue, another, work, story, died }) => {
      await work(fail, { concurrency: 4 })
      await queue.add('a', 1, { id: 'fixed', attempts: 3, backoff: { type: 'fixed', delay: 150 } })
      await queue.add('a', 1, { id: 'exponential', attempts: 4, backoff: { type: 'exponential', delay: 80, max: 200 } })
      await queue.add('a', 1, { id: 'none', attempts: 2 })
      await died(3)
      const waits = (id: string): (number | null | undefined)[] => story.of('failed', id).map(({ retryIn }) => retryIn)
      expect(waits('fixed')).to.deep.equal([150, 150, null])
      expect(waits('exponential')).to.deep.equal([80, 160, 200, null])
      expect(waits('none')).to.deep.equal([0, null])
      for (const id of ['fixed', 'exponential']) {
        story
          .of('active', id)
          .slice(1)
          .forEach(({ at }, i) => {
            const waited = at - story.of('active', id)[i]!.at
            expect(waited, `${id}: wait ${i + 1}`).to.be.at.least(story.of('failed', id)[i]!.retryIn!)
          })
      }
      const own = another('own')
      await work(
        fail,
        { backoff: async (attempt, error, job) => (attempt === 2 ? 'dead' : error.message.length * 5 + job.attempts) },
        { queue: own.name },
      )
      await own.add('a', 1, { id: 'own', attempts: 9 })
      await died(4)
      expect(waits('own')).to.deep.equal([19, null])
      expect(story.of('dead', 'own')[0]).to.include({ reason: 'unrecoverable' })
    },
  },
  {
    id: 'RET-11',
    title: 'RetryError chooses the wait, and spends no attempt when told so',
    run: async ({ queue, work, story, completed }) => {
      let runs = 0
      await work(() => {
        runs++
        if (runs <= 3) throw new RetryError('busy', { delay: 60, countAttempt: false })
        if (runs === 4) throw new RetryError('later', { delay: 40 })
      })
      await queue.add('a', 1, { attempts: 2 })
      await completed(1)
      expect(story.of('active').map(({ attempt }) => attempt)).to.deep.equal([1, 1, 1, 1, 2])
      expect(story.of('failed').map(({ retryIn }) => retryIn)).to.deep.equal([60, 60, 60, 40])
    },
  },
  {
    id: 'RET-17',
    title: 'a job that waits long for its retry does not hold up one that waits short',
    run: async ({ queue, work, story, completed }) => {
      await work(({ id, attempt }) => void (attempt === 1 && id !== 'x' && fail()), { concurrency: 2 })
      await queue.add('a', 1, { id: 'long', attempts: 2, backoff: { type: 'fixed', delay: 60_000 } })
      await until(
        () => story.of('failed', 'long').length === 1,
        'the first failure',
        () => story.tally(),
      )
      await queue.add('a', 1, { id: 'short', attempts: 2, backoff: { type: 'fixed', delay: 100 } })
      await completed(1, 5_000)
      expect(story.ids('completed')).to.deep.equal(['short'])
      expect(await queue.counts()).to.include({ delayed: 1 })
    },
  },
]
