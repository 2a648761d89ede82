import type { DeadReason, JobError } from '@jobport/core/driver'

/** A live job. Never changed: each transition makes another. */
export interface Life {
  readonly kind: 'live'
  readonly id: string
  readonly uid: string
  /** Token of its current message; no other one may start it. */
  readonly copy: string
  /** Its place among the claims; lists go by it. */
  readonly order: number
  readonly body?: string
  /** The run that it is in, or that comes next. */
  readonly attempt: number
  /** Runs that ended unsettled. */
  readonly crashes: number
  /** Epoch ms before which it does not run; past or absent: waiting. */
  readonly dueAt?: number
  /** The run that owns it. Absent: waiting or delayed. */
  readonly run?: string
  /** Of the owner's delivery. */
  readonly tok: number
  /** The start that made the owner replaced a run that never settled. */
  readonly stalled: boolean
  /** Tokens of messages that can never become current. */
  readonly burned: readonly string[]
}

/** A life that is over while its message still lies in a queue: it lost its claim, or was removed. */
export interface Tomb {
  readonly kind: 'tomb'
  readonly uid: string
  readonly why: 'lost' | 'removed'
  /** Its message; `dropped` names it. */
  readonly copy: string
  /** When that message comes to its queue, as far as it was delayed. */
  readonly dueAt?: number
  /** Of a lost one: the uid that held the id. Absent: its dead letter was missing. */
  readonly holder?: string
}

/** A dead job, until its dead letter is cleared. */
export interface Dead {
  readonly kind: 'dead'
  readonly id: string
  readonly uid: string
  readonly run: string
  readonly at: number
  readonly attempt: number
  readonly crashes: number
  readonly reason: DeadReason
  /** Until it is buried. */
  readonly error?: JobError
  /** Token of the valid dead letter. Absent: not buried yet. */
  readonly letter?: string
  /** The life that was redriven from it. */
  readonly redriven?: string
}

/** A life that is over, remembered for a number of entries. */
export interface Finished {
  readonly kind: 'finished'
  readonly uid: string
  readonly why: 'ended' | 'lost' | 'removed' | 'cleared'
  /** Number of the entry that finished it. */
  readonly at: number
  /** Of an ended one. */
  readonly run?: string
  /** Of a lost one. */
  readonly holder?: string
}

/** What is known of a uid. */
export type Fate = Life | Tomb | Dead | Finished
