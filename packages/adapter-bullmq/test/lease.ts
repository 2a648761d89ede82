import { patiently } from '@jobport/conformance'

/** Short, so that a lost lease shows within a test, but as long as this machine needs to keep one, ms. */
export const LEASE: number = Math.ceil(patiently(1_500))
