import { within } from './deadline.ts'
import { JobportError } from './errors.ts'
import { requireFeature } from './connection.ts'
import { toError } from './job-error.ts'
import type { Draft } from './draft.ts'
import type { Driver, Message, PublishResult, ServerInfo } from './driver.ts'
import type { Receipt } from './receipt.ts'

/** What a driver gets of the deadline to say what it knows, ms; of a short one a quarter. */
const GRACE = 200

/** One result per message, in order, within `ms`: the driver's word, or `unknown` where it gives none. Never rejects. */
export async function publish(driver: Driver, queue: string, messages: readonly Message[], ms: number): Promise<PublishResult[]> {
  const abort = new AbortController()
  const late = (): void => abort.abort(new JobportError('TIMEOUT', `no confirmation within ${Math.round(ms)} ms`))
  const timer = setTimeout(late, ms - Math.min(GRACE, ms / 4))
  try {
    const results: unknown = await within(ms, 'publishing', driver.publish(queue, messages, { signal: abort.signal }))
    return messages.map((_, i) => readResult((results as readonly unknown[] | undefined)?.[i]))
  } catch (thrown) {
    return messages.map(() => unknown(toError(thrown)))
  } finally {
    clearTimeout(timer)
  }
}

export function receiptOf(message: Message, result: PublishResult): Receipt | JobportError {
  const { id, uid } = message
  switch (result.status) {
    case 'added':
      return { id, added: true, uid }
    case 'duplicate':
      // its own uid: the driver met an earlier write of this same add
      if (result.uid === uid) return { id, added: true, uid }
      return { id, added: false, ...(result.uid !== undefined && { uid: result.uid }) }
    case 'rejected':
      return unstored(message, result.error)
    case 'unknown':
      return new JobportError('UNCONFIRMED', `job '${id}' may or may not have been stored: ${result.error.message}`, {
        id,
        cause: result.error,
      })
  }
}

export function unstored({ id }: Message, cause: JobportError): JobportError {
  return new JobportError(cause.code, `job '${id}' was not stored: ${cause.message}`, { id, cause })
}

/** Throws what the adapter lacks for a message, before any I/O. */
export function checkFeatures(driver: Driver, { delay, backoff, priority, dedup }: Message): void {
  const { features } = driver
  if (delay !== undefined || backoff?.delay) requireFeature(driver, 'delay')
  if (priority !== undefined) requireFeature(driver, 'priority')
  if (dedup !== undefined) requireFeature(driver, 'dedup')
  if (features.delay && delay !== undefined && delay > features.delay.max) {
    throw new JobportError('INVALID_ARGUMENT', `delay must be at most ${features.delay.max} ms on ${driver.name}`)
  }
  if (features.dedup && dedup && dedup.ttl > features.dedup.maxTtl) {
    throw new JobportError('INVALID_ARGUMENT', `dedup.ttl must be at most ${features.dedup.maxTtl} ms on ${driver.name}`)
  }
}

/** The error if the server takes no payload of this size. */
export function checkSize({ message, atMost }: Draft, { maxPayload }: ServerInfo): JobportError | undefined {
  if (atMost <= maxPayload) return undefined
  const size = Buffer.byteLength(JSON.stringify(message.data))
  if (size <= maxPayload) return undefined
  return new JobportError(
    'PAYLOAD_TOO_LARGE',
    `the payload of '${message.name}' has ${size} bytes; the server takes ${maxPayload}`,
  )
}

const STATUSES: ReadonlySet<unknown> = new Set<PublishResult['status']>(['added', 'duplicate', 'rejected', 'unknown'])

/** A driver's result may be anything if the driver is wrong. */
function readResult(result: unknown): PublishResult {
  const { status, error } = (result ?? {}) as Partial<Record<'status' | 'error', unknown>>
  const isWhole = STATUSES.has(status) && (status === 'added' || status === 'duplicate' || error instanceof Error)
  return isWhole ? (result as PublishResult) : unknown(new Error('the driver gave no result'))
}

function unknown(cause: Error): PublishResult {
  return { status: 'unknown', error: new JobportError('UNCONFIRMED', cause.message, { cause }) }
}
