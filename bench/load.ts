import type { Bout, Choice, Payload } from './contender.ts'

export const IN_FLIGHT = 256
const BATCH = 500
const BATCHES = 4

/** About 200 bytes in JSON. */
const USUAL = 160

export function payload(i: number, { at = 0, size = USUAL }: { readonly at?: number; readonly size?: number } = {}): Payload {
  return { i, at, pad: 'x'.repeat(size) }
}

/** Calls `work` for 0 … count - 1, never more than `flight` at once. */
export async function inFlight(count: number, work: (i: number) => Promise<unknown>, flight: number = IN_FLIGHT): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: Math.min(flight, count) }, async () => {
      while (next < count) await work(next++)
    }),
  )
}

/** As fast as the contender can, with the jobs from number `first` on. */
export async function fill(
  bout: Bout,
  count: number,
  { first = 0, size }: { readonly first?: number; readonly size?: number } = {},
): Promise<void> {
  const make = (i: number): Payload => payload(first + i, size === undefined ? {} : { size })
  const { addMany } = bout
  if (!addMany) return inFlight(count, (i) => bout.add(make(i)))
  const batch = (from: number): Payload[] => Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => make(from + i))
  await inFlight(Math.ceil(count / BATCH), (i) => addMany(batch(i * BATCH)), BATCHES)
}

export async function addAll(bout: Bout, count: number, choice: (i: number) => Choice): Promise<void> {
  await inFlight(count, (i) => bout.add(payload(i), choice(i)))
}

/** Things per second. */
export async function rate(count: number, work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return (count / (performance.now() - start)) * 1_000
}
