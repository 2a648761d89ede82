import { expect, until } from '../assert.ts'
import type { Case } from '../case.ts'

const CYCLES = 20

/** Much of everything. */
export const scale: readonly Case[] = [
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
]

/** What keeps the process open, or could. */
function resources(): number {
  return process.getActiveResourcesInfo().length
}
