import type { Delivery, Outcome } from '@jobport/core/driver'
import type { Ending } from './decision.ts'
import type { ModelJob } from './model-job.ts'
import type { QueueModel } from './queue-model.ts'

/** Beyond it a job is dead without a run; at two crashes a job would run alone, and this history could not go on beside it. */
export const CRASH_LIMIT = 1
/** Of a job named `brief`, ms. */
export const BRIEF = 5

/** One run of a job named `job`, which goes on until a step ends it. */
export interface Run {
  readonly job: ModelJob
  readonly model: QueueModel
  readonly delivery: Delivery
  /** Whose. */
  readonly worker: number
  /** How it is to end, once that is known. */
  ending?: Ending
  /** It was lost, or its queue dropped, or its connection closed: what becomes of its late end is not this history's matter. */
  over?: 'lost' | 'gone'
  end?: { readonly resolve: (result: unknown) => void; readonly reject: (error: Error) => void }
}

/** How a delivery ends without a step that ends it, if it does. */
export function fateOf({ crashes, message: { name } }: ModelJob): Ending | undefined {
  if (crashes > CRASH_LIMIT) return { how: 'crashes' }
  if (name === 'stray') return { how: 'unknown' }
  return name === 'brief' ? { how: 'time out' } : undefined
}

export function told(outcome: Outcome): string {
  switch (outcome.type) {
    case 'again':
      return `again in ${outcome.delay} ms, as attempt ${outcome.attempt}`
    case 'dead':
      return `dead (${outcome.reason})`
    default:
      return outcome.type
  }
}

export function eventsOf({ ending }: Run, outcome: Outcome): string[] {
  switch (outcome.type) {
    case 'complete':
      return [`completed ${JSON.stringify(outcome.result)}`]
    case 'again':
      return [`failed, again in ${outcome.delay}`]
    case 'dead': {
      const ran = ending?.how !== 'crashes' && ending?.how !== 'unknown'
      // a job without a handler has not run, and has failed for all that
      return [...(ran ? ['failed for good'] : []), `dead of ${outcome.reason}`]
    }
    case 'release':
      return []
  }
}
