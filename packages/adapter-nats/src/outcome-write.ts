import type { Outcome } from '@jobport/core/driver'
import { completedWrite, deadWrite, liveWrite, type Reading, type State } from './mapping.ts'
import { TEN_YEARS } from './settings.ts'
import type { Names } from './names.ts'
import type { Write } from './records.ts'

export interface Ending {
  readonly names: Names
  readonly reading: Reading
  /** Deliveries that ended unsettled, all told. */
  readonly crashes: number
  readonly data: Uint8Array
  /** How long the record of a completed job stays, ms. */
  readonly keep: number
  readonly ackWait: number
}

/** What a job becomes, as a record. Throws `REJECTED` for a wait that no date holds. */
export function outcomeWrite(outcome: Outcome, { names, reading, crashes, data, keep, ackWait }: Ending): Write {
  const { token, level, uid, attempt, message } = reading
  const state: State = { uid, attempt, crashes }
  switch (outcome.type) {
    case 'complete': {
      const { dedup, addedAt, id } = message
      const until = dedup && id !== uid ? Math.min(addedAt + dedup.ttl, Date.now() + TEN_YEARS) : 0
      // longer than a redelivery takes that must find it
      const ttl = Math.max(keep, ackWait * 2, until - Date.now())
      return completedWrite(names, token, state, outcome.result, ttl, until)
    }
    case 'again': {
      const dueAt = outcome.delay > 0 ? Date.now() + Math.ceil(outcome.delay) : undefined
      return liveWrite(names, token, level, { ...state, attempt: outcome.attempt, ...(dueAt !== undefined && { dueAt }) }, data)
    }
    case 'release':
      return liveWrite(names, token, level, state, data)
    case 'dead':
      return deadWrite(names, token, state, outcome.reason, outcome.error, data)
  }
}
