import {
  readMessage,
  toJobError,
  unreadable,
  type DeadReason,
  type JobError,
  type JobState,
  type Message,
  type StoredJob,
} from '@jobport/core/driver'

/** One life of a job. The message is kept as text: nothing that a caller holds can reach into the queue. */
export interface Entry {
  readonly id: string
  readonly uid: string
  readonly priority: number
  readonly text: string
  /** Its place among the jobs that were added, of a dead one among those that died; lists go by it. */
  order: number
  /** Its add has not been answered yet: it is not delivered before. */
  isFresh: boolean
  attempt: number
  /** Deliveries that were abandoned. */
  crashes: number
  /** The last delivery was one of them. */
  stalled: boolean
  state: JobState
  dueAt?: number
  /** Stops the alarm of a delayed one. */
  cancel?: () => void
  dead?: { reason: DeadReason; error: JobError; at: number }
}

export function entryOf(message: Message, order: number): Entry {
  const { id, uid, priority = 0 } = message
  return {
    id,
    uid,
    priority,
    text: JSON.stringify(message),
    order,
    isFresh: true,
    attempt: 1,
    crashes: 0,
    stalled: false,
    state: 'waiting',
  }
}

/** What cannot be decoded is shown as it was found: it belongs into the dead letters, and must not stop its neighbours. */
export function reading({ uid, text }: Entry): { message: Message; invalid?: JobError } {
  try {
    return { message: readMessage(JSON.parse(text)) }
  } catch (error) {
    return { message: unreadable(uid, text), invalid: toJobError(error) }
  }
}

export function stored(entry: Entry): StoredJob {
  const { state, attempt, crashes, dueAt, dead } = entry
  return {
    message: reading(entry).message,
    state,
    attempt,
    crashes,
    ...(state === 'delayed' && dueAt !== undefined && { dueAt }),
    ...(dead && { dead }),
  }
}
