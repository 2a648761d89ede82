import fastq from 'fastq'
import PQueue from 'p-queue'
import type { Contender, Payload } from '../contender.ts'

type Task = (payload: Payload) => Promise<void>

/** What runs functions in the process, and holds jobs for nobody: those that come before there is a worker wait here. */
function waiting(
  title: string,
  start: (concurrency: number, task: Task) => { push(payload: Payload): void; stop(): void },
): Contender {
  return {
    title,
    abilities: new Set(['many']),
    open() {
      const early: Payload[] = []
      let lane: { push(payload: Payload): void; stop(): void } | undefined
      const add = (payload: Payload): void => void (lane ? lane.push(payload) : early.push(payload))
      return Promise.resolve({
        add: (payload) => Promise.resolve(add(payload)),
        addMany: (payloads) => Promise.resolve(payloads.forEach(add)),
        work(concurrency, handle, done) {
          lane = start(concurrency, async (payload) => {
            await handle(payload)
            done()
          })
          for (const payload of early.splice(0)) lane.push(payload)
          return Promise.resolve(() => Promise.resolve(lane?.stop()))
        },
        drop: () => Promise.resolve(),
      })
    },
  }
}

export const viaFastq: Contender = waiting('fastq', (concurrency, task) => {
  const queue = fastq.promise(task, concurrency)
  return { push: (payload) => void queue.push(payload), stop: () => queue.kill() }
})

export const viaPQueue: Contender = waiting('p-queue', (concurrency, task) => {
  const queue = new PQueue({ concurrency })
  return { push: (payload) => void queue.add(() => task(payload)), stop: () => queue.clear() }
})
