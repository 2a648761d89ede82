import { decode, encode, type DeadReason, type JobError, type JobState, type Message, type StoredJob } from '@jobport/core/driver'

/** One life of a job. The message is kept as bytes: nothing that a caller holds can reach into the queue. */
export interface Entry {
  readonly id: string
  readonly uid: string
  readonly priority: number
  readonly bytes: Uint8Array
  /** Its place among the jobs that were added, of a dead one among those that died; lists go by it. */
  order: number
  attempt: number
  state: JobState
  dueAt?: number
  /** Stops the alarm of a delayed one. */
  cancel?: () => void
  dead?: { reason: DeadReason; error: JobError; at: number }
}

export function entryOf(message: Message, order: number): Entry {
  const { id, uid, priority = 0 } = message
  return { id, uid, priority, bytes: encode(message), order, attempt: 1, state: 'waiting' }
}

export function messageOf({ bytes }: Entry): Message {
  return decode(bytes)
}

export function stored(entry: Entry): StoredJob {
  const { state, attempt, dueAt, dead } = entry
  return {
    message: messageOf(entry), state, attempt, crashes: 0,
    ...(state === 'delayed' && dueAt !== undefined && { dueAt }),
    ...(dead && { dead }),
  }
}
