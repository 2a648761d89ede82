import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from '../assert.ts'
import { pause } from '../wait.ts'
import type { Case } from '../case.ts'

const SECONDS = 60
/** Of one job, ms, so that a worker does ten a second. */
const WORK = 100
/** Adds a second. */
const RATE = 100
const ADDED = SECONDS * RATE
/** Of a payload, characters. */
const SIZE = 20_000
/** What the heap may grow by while 100 MB are added, bytes. */
const GROWTH = 25_000_000

/** More comes in than goes out. */
export const overload: readonly Case[] = [
  {
    id: 'FLT-24',
    title: 'a producer ten times faster than its worker, for a minute: the backlog stays in the broker, not in the client',
    needs: 'durable',
    processes: true,
    slow: true,
    run: async ({ work, story, harness, broker, counted, queue: { name } }) => {
      const producer = broker({}, harness.createDriver()).queue(name)
      const worker = await work(() => pause(WORK))
      const data = 'x'.repeat(SIZE)
      const heaps: number[] = []
      const start = performance.now()
      for (let second = 0; second < SECONDS; second++) {
        for (let i = 0; i < RATE; i++) await producer.add('a', data)
        await pause(Math.max(0, start + (second + 1) * 1_000 - performance.now()))
        if (second % 10 === 5) heaps.push(heap())
      }
      await worker.stop()
      const completed = story.of('completed').length
      expect(completed, 'jobs that were worked meanwhile').to.be.within(SECONDS, ADDED / 5)
      expect(heaps.at(-1)! - heaps[0]!, `the heap grew: ${heaps.join(' ')}, bytes`).to.be.below(GROWTH)
      await counted({ waiting: ADDED - completed, active: 0 })
    },
  },
]

/** What is in use after a collection, bytes. */
function heap(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed
}
