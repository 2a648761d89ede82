import { LEVELS, type DelayNames } from './names.ts'

/** That a level can hold, beside 0. */
export const DIGITS = 15
/** What the chain of delays can hold, ms: 49.7 days. */
export const LONGEST_DELAY: number = 16 ** LEVELS - 1

/** All that there can be, the last that a message passes first: who counts in this order counts none twice. */
export function stepsOf(nameOf: DelayNames['queue']): string[] {
  return levels().flatMap((level) => digits().map((digit) => nameOf(level, digit)))
}

/** Highest first. */
export function digitsOf(delay: number): number[] {
  const ms = Math.min(Math.max(0, Math.ceil(delay)), LONGEST_DELAY)
  return ms
    .toString(16)
    .padStart(LEVELS, '0')
    .split('')
    .map((digit) => parseInt(digit, 16))
}

export function levels(): number[] {
  return Array.from({ length: LEVELS }, (_, level) => level)
}

function digits(): number[] {
  return Array.from({ length: DIGITS }, (_, i) => i + 1)
}

/** Matches keys whose digit at `level` is `digit`. */
export function pattern(level: number, digit: number): string {
  return `${'*.'.repeat(LEVELS - 1 - level)}${digit}.#`
}

/** Where a message was published to, or dead-lettered to, last. */
export interface Address {
  readonly exchange: string
  readonly routingKey: string
}

/** Returns what is left of a message's delay, ms: above 0 if it left the chain at an exchange without a queue for its next step. */
export function leftOf({ exchange, routingKey }: Address, delays: DelayNames): number {
  const level = levels().find((each) => delays.exchange(each) === exchange)
  if (level === undefined) return 0
  const digits = routingKey.split('.').slice(LEVELS - 1 - level, LEVELS)
  return digits.reduce((ms, digit) => ms * 16 + Number(digit), 0)
}
