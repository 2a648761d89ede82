import { within } from './wait.ts'

/** A driver's close ends within 5 s, a broker's within a second more; with room for a machine that is busy, ms. */
const CLOSING = 8_000

/** What went wrong in steps that tidy up. */
export async function tidied(steps: readonly Promise<unknown>[], deadline: number = CLOSING): Promise<readonly unknown[]> {
  const ends = await Promise.allSettled(steps.map((step) => within(deadline, 'tidying up after a case', step)))
  return ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
}
