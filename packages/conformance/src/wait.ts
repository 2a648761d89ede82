import { AssertionError } from 'chai'

const POLL = 5
let patience = Math.max(1, Number(process.env['JOBPORT_PATIENCE']) || 1)
/** Of one poll, what counts, ms: longer ones are the machine's. */
const LONGEST_POLL = 200

/** A wait of a case's own that was not fulfilled: an assertion, unlike a runner's timeout. */
export class WaitError extends AssertionError<undefined> {}

/** Multiplies all deadlines from now on. */
export function setPatience(factor: number): void {
  patience = factor
}

/** A deadline, ms, as long as the machine needs. */
export function patiently(deadline: number): number {
  return deadline * patience
}

/**
 * Resolves once `done` is true; looks at every change it can cheaply see. Fails with what `state` shows. Time in which the machine
 * let this process stand still does not count.
 */
export async function until(
  done: () => boolean | Promise<boolean>,
  what: string,
  state: () => unknown,
  deadline: number,
): Promise<void> {
  let left = patiently(deadline)
  for (;;) {
    const start = performance.now()
    if (await done()) return
    const asked = performance.now()
    if (left < 0) throw new WaitError(`${what} did not happen within ${patiently(deadline)} ms: ${show(state())}`)
    await pause(POLL)
    left -= asked - start + Math.min(performance.now() - asked, LONGEST_POLL)
  }
}

/** Nothing must happen in these `ms`; `state` before and after must be the same. */
export async function quiet(ms: number, what: string, state: () => unknown): Promise<void> {
  const before = show(state())
  const end = performance.now() + ms
  while (performance.now() < end) {
    await pause(POLL)
    if (show(state()) !== before) throw new WaitError(`${what} was not to happen: ${before} became ${show(state())}`)
  }
}

/** Fails by its deadline, as an assertion, whatever `work` does. */
export function within<T>(deadline: number, what: string, work: Promise<T>): Promise<T> {
  return raced(deadline, work, (ms) => new WaitError(`${what} took longer than ${ms} ms`))
}

/** Fails by its deadline with an error that is no assertion: it proves nothing. */
export function inTime<T>(deadline: number, what: string, work: Promise<T>): Promise<T> {
  return raced(deadline, work, (ms) => new Error(`${what} took longer than ${ms} ms`))
}

async function raced<T>(deadline: number, work: Promise<T>, errorOf: (ms: number) => Error): Promise<T> {
  const ms = patiently(deadline)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(errorOf(ms)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** As a program would that repeats what was refused for the moment; its last error, after `deadline` ms. */
export async function insist<T>(deadline: number, step: () => Promise<T>): Promise<T> {
  const end = performance.now() + patiently(deadline)
  for (;;) {
    try {
      return await step()
    } catch (error) {
      if (performance.now() > end) throw error
      await pause(50)
    }
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** What was expected and what was seen, by id: missing, extra and more than once. */
export function difference(
  expected: readonly string[],
  seen: readonly string[],
): { missing: string[]; extra: string[]; repeated: string[] } {
  const wanted = new Set(expected)
  const had = new Set(seen)
  return {
    missing: expected.filter((id) => !had.has(id)),
    extra: [...had].filter((id) => !wanted.has(id)),
    repeated: [...new Set(seen.filter((id, i) => seen.indexOf(id) !== i))],
  }
}

function show(state: unknown): string {
  return JSON.stringify(state)
}
