import type { Features } from '@jobport/core/driver'

/** Ten years, ms. */
export const LONGEST_WAIT: number = 10 * 365 * 86_400_000

export const FEATURES: Features = Object.freeze({
  delay: Object.freeze({ granularity: 100, max: LONGEST_WAIT, resolution: 1 }),
  dedup: Object.freeze({ maxTtl: LONGEST_WAIT }),
  priority: true,
  ordered: true,
  pause: true,
  cancel: 'all',
  inspect: 'all',
  durable: true,
})
