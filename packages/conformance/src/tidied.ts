import { within } from './wait.ts'

/** A driver's close ends within 5 s, a broker's within a second more; with room for a machine that is busy, ms. */
const CLOSING = 8_000
/** Things that are tidied up at once. */
const AT_ONCE = 16

/** What went wrong in steps that tidy up. */
export async function tidied(steps: readonly Promise<unknown>[], deadline: number = CLOSING): Promise<readonly unknown[]> {
  const ends = await Promise.allSettled(steps.map((step) => within(deadline, 'tidying up after a case', step)))
  return ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
}

/** The same for many things, some at a time, until something went wrong: a broker that refuses some will hardly take the others. */
export async function tidiedInTurn<T>(
  things: readonly T[],
  tidy: (thing: T) => Promise<unknown>,
  deadline: number,
): Promise<readonly unknown[]> {
  for (let i = 0; i < things.length; i += AT_ONCE) {
    const failures = await tidied(things.slice(i, i + AT_ONCE).map(tidy), deadline)
    if (failures.length > 0) return failures
  }
  return []
}
