import { pause } from './deadline.ts'
import { isJobportError, JobportError, leaseLost } from './errors.ts'
import { bareError, toError } from './job-error.ts'
import type { Delivery, Outcome } from './driver.ts'

export interface SettleOptions {
  /** Told of each refusal. */
  readonly report: (error: Error) => void
  /** The broker takes no outcome for now, or has not answered for a minute: the slot is stuck. May be called more than once. */
  readonly onStuck: (delivery: Delivery) => void
  /** Gives up at once when it fires. */
  readonly signal: AbortSignal
}

/** How long a bare outcome is offered to a broker that refuses it, ms. */
const PATIENCE = 60_000
/** After this long without an answer the slot counts as stuck, ms. The settlement goes on: a second one could double it. */
const SILENCE = 60_000
const FIRST_WAIT = 250
const LONGEST_WAIT = 5_000

/** The broker may take the same outcome later. */
const PASSING: ReadonlySet<string> = new Set(['UNAVAILABLE', 'TIMEOUT'])
/** How often the same outcome is offered to a broker that may take it later, before less is offered. */
const TRIES = 3

/**
 * Settles a delivery, with less to store each time the broker refuses: without the result, with a bare error, with the bare
 * outcome. Then offers that for a minute, and abandons the delivery in the end. Resolves with whether it is settled.
 * Rejects with `LEASE_LOST` or `CLOSED`: the delivery is no longer ours.
 */
export async function settle(delivery: Delivery, outcome: Outcome, options: SettleOptions): Promise<boolean> {
  try {
    await offer(delivery, outcome, options)
    return true
  } catch (thrown) {
    return settleLesser(delivery, [outcome, ...lesserOf(outcome)], refusal(thrown), options)
  }
}

async function settleLesser(
  delivery: Delivery,
  left: Outcome[],
  refused: JobportError,
  options: SettleOptions,
): Promise<boolean> {
  const { report, onStuck, signal } = options
  const end = performance.now() + PATIENCE
  let wait = 0
  let passing = 0
  for (;;) {
    passing = PASSING.has(refused.code) ? passing + 1 : 0
    const isHasty = signal.aborted || performance.now() >= end
    if (left.length > 1 && (isHasty || passing === 0 || passing >= TRIES)) {
      const lesser = isHasty ? left.at(-1)! : left[1]!
      report(said(delivery, left[0]!, refused, `trying ${described(lesser)}`))
      left = left.slice(left.indexOf(lesser))
      passing = 0
    } else {
      if (isHasty) {
        delivery.abandon()
        report(said(delivery, left[0]!, refused, 'given up: the broker will deliver it again'))
        return false
      }
      report(said(delivery, left[0]!, refused, 'trying again'))
      if (wait === 0) onStuck(delivery)
      wait = Math.min(wait * 2 || FIRST_WAIT, LONGEST_WAIT)
      await pause(wait, signal)
    }
    if (delivery.lease.isLost) throw leaseLost(delivery.message)
    try {
      await offer(delivery, left[0]!, options)
      return true
    } catch (thrown) {
      refused = refusal(thrown)
    }
  }
}

/** Settles it. A broker that gives no answer is reported once, and waited for. */
async function offer(delivery: Delivery, outcome: Outcome, { report, onStuck }: SettleOptions): Promise<void> {
  const silent = setTimeout(() => {
    report(unanswered(delivery, outcome))
    onStuck(delivery)
  }, SILENCE).unref()
  try {
    await delivery.settle(outcome)
  } finally {
    clearTimeout(silent)
  }
}

/** The same end, each with less to store than the one before. */
function lesserOf(outcome: Outcome): Outcome[] {
  switch (outcome.type) {
    case 'complete':
      return outcome.result === null ? [] : [{ type: 'complete', result: null }]
    case 'again': {
      const { error, ...bare } = outcome
      return error ? [{ ...bare, error: bareError(error) }, bare] : []
    }
    case 'dead': {
      const { error } = outcome
      return [
        { ...outcome, error: bareError(error) },
        { ...outcome, error: { name: 'Error', message: '' } },
      ]
    }
    case 'release':
      return []
  }
}

function described(outcome: Outcome): string {
  if (outcome.type === 'complete') return 'without the result'
  if (outcome.type === 'release' || !outcome.error || outcome.error.message === '') return 'without the error'
  return 'with a bare error'
}

/** Throws it again if the delivery is no longer ours. */
function refusal(thrown: unknown): JobportError {
  const error = toError(thrown)
  if (!isJobportError(error)) return new JobportError('REJECTED', error.message, { cause: error })
  if (error.code === 'LEASE_LOST' || error.code === 'CLOSED') throw error
  return error
}

function said({ message: { id, name } }: Delivery, { type }: Outcome, refused: JobportError, next: string): JobportError {
  const text = `the broker refuses to settle ${name} ${id} as '${type}': ${refused.message}; ${next}`
  return new JobportError(refused.code, text, { id, cause: refused })
}

function unanswered({ message: { id, name } }: Delivery, { type }: Outcome): JobportError {
  const text = `settling ${name} ${id} as '${type}' has had no answer for ${SILENCE} ms; still waiting`
  return new JobportError('TIMEOUT', text, { id })
}
