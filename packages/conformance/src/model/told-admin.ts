import { tamperAdmin } from '../tamper.ts'
import type { QueueAdmin } from '@jobport/core/driver'
import type { QueueModel } from './queue-model.ts'

export interface Told {
  readonly now: () => number
  /** Keeps what goes wrong in it for who waits next. */
  readonly watch: (look: () => void) => void
  /** What the driver answered to each redrive. */
  readonly redrives: string[]
}

/** The admin, with the model told of what is done and what came of it. */
export function toldAdmin(model: QueueModel, honest: QueueAdmin, { now, watch, redrives }: Told): QueueAdmin {
  return tamperAdmin(honest, {
    remove: async (key, scope) => {
      const answer = await honest.remove(key, scope)
      watch(() => model.removed(key, scope, answer))
      return answer
    },
    purge: async (scope) => {
      const count = await honest.purge(scope)
      watch(() => model.purged(scope, count))
      return count
    },
    redrive: async (uid, as) => {
      const from = now()
      model.redriving(uid, as, from)
      const answer = await honest.redrive(uid, as)
      redrives.push(answer)
      watch(() => model.redriven(uid, as, answer, { from, to: now() }))
      return answer
    },
    pause: async () => {
      await honest.pause()
      model.paused = true
    },
    resume: async () => {
      model.paused = false
      await honest.resume()
    },
  })
}
