import type { DeadReason, JobError, JobState, Message, Outcome } from '@jobport/core/driver'
import type { Moment } from './moment.ts'

/** How a job came to wait, which decides what it must not overtake. A tick ends with each quiet moment. */
export type Place =
  /** Added, redriven, or retried at once: behind all that waits. `together`: with others, by one `addMany`. Some time after
   * it was asked for, as number `since`, and before the answer, number `order`. */
  | { readonly kind: 'arrived'; readonly since: number; readonly order: number; readonly at: Moment; readonly together?: symbol }
  /** Its due time has come. */
  | { readonly kind: 'due'; readonly at: Moment }
  /** Released, lost, or handed back by a driver that closed. Those of one tick came back together. */
  | { readonly kind: 'handed back'; readonly order: number; readonly tick: number }

/** One life of a job, as the contract has it. */
export interface ModelJob {
  readonly message: Message
  state: JobState
  /** The run it is in, or that comes next; of a dead one, the last. */
  attempt: number
  crashes: number
  /** Its last delivery ended unsettled: the next one says so. */
  stalled: boolean
  /** When a delayed job is due. */
  due?: Moment
  place: Place
  /** Its place in order of arrival; of one that was delivered, in order of delivery, in which it goes back. */
  order: number
  /** It waited already when nothing moved last: whatever starts now must not belong behind it. */
  rested: boolean
  /** Who has it. */
  worker?: number
  /** The outcome that its worker has asked for and the broker has not confirmed yet, and since when, epoch ms. */
  settling?: { readonly outcome: Outcome; readonly from: number; readonly since: number }
  /** Its worker has given it up; the broker has yet to find out. */
  lost: boolean
  /** Deaths of one tick are in no certain order. */
  death?: { readonly reason: DeadReason; readonly error: JobError; readonly at: Moment; readonly tick: number }
}

/** Its id is one that the caller gave: `cancel: 'given'` and `inspect: 'given'` know it. */
export function isGiven({ message }: ModelJob): boolean {
  return message.id !== message.uid
}
