import type { DeadReason } from '@jobport/core/driver'

/** What BullMQ has no field for; it rests beside the job and is written only when there is something to say. */
export interface Note {
  /** Of a dead job. */
  readonly reason?: DeadReason
  /** Of a dead job: the name of its error. */
  readonly error?: string
  /** Of a dead job whose error has no stack, or an empty one: BullMQ keeps one of its own making in its place. */
  readonly stack?: 'none' | 'empty'
  /** BullMQ's stalled counter when the last delivery that ended by itself did so. */
  readonly seen?: number
  /** BullMQ's stalled counter at the job's last death: what came before counts no more. */
  readonly base?: number
}

/** Anyone can write to the broker: what is no note counts as none. */
export function readNote(value: unknown): Note {
  const parsed = typeof value === 'string' ? parse(value) : value
  return typeof parsed === 'object' && parsed !== null ? parsed : {}
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
