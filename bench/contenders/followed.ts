import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Contender } from '../contender.ts'

/** The same, while so many other clients follow the queue's ledger from another process. */
export function followed(contender: Contender, url: string, followers: number): Contender {
  return {
    title: `${contender.title}, ${followers} followers`,
    abilities: new Set(['id']),
    // what they cost shows where jobs are added and worked
    workloads: new Set(['add-256', 'work-100', 'cycle']),
    async open(queue) {
      const crowd = fork(new URL('./followers.ts', import.meta.url), [url, queue, String(followers)])
      await once(crowd, 'message')
      const bout = await contender.open(queue)
      return {
        ...bout,
        async drop() {
          crowd.kill('SIGKILL')
          await bout.drop()
        },
      }
    },
  }
}
