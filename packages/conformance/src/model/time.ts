import { setTimeout as pause } from 'node:timers/promises'
import { patiently } from '../wait.ts'
import type { Features } from '@jobport/core/driver'

/** The time in which a history happens, ms. */
export interface Time {
  now(): number
  /** Lets so much of it pass. */
  pass(ms: number): Promise<void>
  /** Lets what is under way go on. */
  turn(): Promise<void>
  /** How long after its due time a job may still be shown as delayed. */
  readonly lateness: number
  /** By how much a time that the broker tells may lie outside of what this process saw. */
  readonly tolerance: number
  /** Fewest and most steps of a history. */
  readonly lengths: { readonly minLength: number; readonly maxLength: number }
  /** Waits that end while the history goes on, and one that does not. */
  readonly waits: readonly number[]
}

const HOUR = 3_600_000
/** Of a clock that two machines, or a server and its client, read differently. */
const READING = 5

/** One that stands still until it is moved, as the embedded broker's `VirtualClock`. */
export interface Clock {
  now(): number
  /** Moves to what is due next and has it happen; where nothing is due by `limit`, moves there and answers `false`. */
  step(limit: number): boolean
}

export function virtualTime(clock: Clock): Time {
  const turn = (): Promise<void> => new Promise(setImmediate)
  return {
    now: () => clock.now(),
    pass: async (ms) => {
      const limit = clock.now() + ms
      do await turn()
      while (clock.step(limit))
    },
    turn,
    lateness: 0,
    tolerance: 0,
    lengths: { minLength: 40, maxLength: 120 },
    waits: [1, 2, 25, 300, 20_000, 60_000, HOUR, 2 * HOUR],
  }
}

/** Waits are short, and what does not end meanwhile is far away. */
export function realTime({ delay }: Features): Time {
  return {
    now: Date.now,
    pass: (ms) => pause(ms),
    turn: () => pause(2),
    lateness: delay ? patiently(delay.granularity) + READING : 0,
    tolerance: READING,
    lengths: { minLength: 20, maxLength: 45 },
    waits: [2, 25, 300, 2 * HOUR],
  }
}
