import { once } from 'node:events'
import { expect, quiet, refusal, within } from '../assert.ts'
import { fail } from '../fail.ts'
import type { Case } from '../case.ts'

const NONE = ['drained', 'progress', 'closed', 'error ', 'Completed', '', 'constructor', '__proto__']

/** Listening, and letting go. */
export const events: readonly Case[] = [
  {
    id: 'LIFE-27',
    title: 'a listener of an event that does not exist is refused; once hears once, and so does the once of node:events',
    run: async ({ queue, work, story, completed, died, broker }) => {
      const worker = await work({ fine: () => 1, fails: fail })
      for (const name of NONE) {
        for (const listen of ['on', 'once'] as const) {
          await refusal(() => worker[listen](name as 'completed', () => {}), 'INVALID_ARGUMENT')
          await refusal(() => broker()[listen](name as 'error', () => {}), 'INVALID_ARGUMENT')
        }
      }
      const heard: string[] = []
      worker.once('completed', ({ id }) => heard.push(id))
      const next = once(worker as never, 'dead') as Promise<[{ readonly id: string }, Error, string]>
      for (const id of ['one', 'two']) await queue.add('fine', 1, { id })
      await queue.add('fails', 1, { id: 'three' })
      await completed(2)
      await died(1)
      const [job, error, reason] = await within(5_000, 'the next death', next)
      expect([job.id, error.message, reason]).to.deep.equal(['three', 'no', 'attempts'])
      await quiet(50, 'another event', () => heard)
      expect(heard).to.deep.equal([story.ids('completed')[0]])
    },
  },
]
