import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Place } from './arenas.ts'
import type { Crowd } from './workload.ts'

export interface Stand {
  readonly place: Place
  /** The contender's title. */
  readonly contender: string
  readonly queue: string
}

/** Starts `count` worker processes. They are connected, and begin to work when `ended` is called. */
export async function crowdOf(count: number, stand: Stand): Promise<Crowd> {
  const program = new URL('./worker-process.ts', import.meta.url)
  const children = Array.from({ length: count }, () => fork(program, [JSON.stringify(stand)]))
  await Promise.all(children.map((child) => once(child, 'message')))
  return {
    async ended(jobs) {
      const { promise, resolve } = Promise.withResolvers<void>()
      let done = 0
      for (const child of children) child.on('message', (more) => void ((done += more as number) >= jobs && resolve()))
      const start = performance.now()
      for (const child of children) child.send('go')
      await promise
      return performance.now() - start
    },
    async kill() {
      await Promise.all(children.map(kill))
    },
  }
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}
