import { within } from './deadline.ts'
import { JobportError } from './errors.ts'
import { requireFeature, type Connection } from './connection.ts'
import type { Draft } from './draft.ts'
import type { Driver, Message, PublishResult, ServerInfo } from './driver.ts'
import type { Receipt } from './receipt.ts'

/** What a driver gets beyond the deadline to say what it knows, ms. */
const GRACE = 200

export interface Admitted {
  readonly driver: Driver
  /** Of the deadline, ms. */
  readonly left: number
}

/** A connected driver, and what is left of the deadline; at once if it is connected. What the adapter or the server lacks for a draft is refused. */
export function admit(connection: Connection, drafts: readonly Draft[], deadline: number): Admitted | Promise<Admitted> {
  const driver = connection.made
  const server = connection.server
  if (!driver || !server) return admitLater(connection, drafts, deadline)
  for (const draft of drafts) checkDraft(draft, driver, server)
  return { driver, left: deadline }
}

async function admitLater(connection: Connection, drafts: readonly Draft[], deadline: number): Promise<Admitted> {
  const driver = connection.made ?? (await connection.driver())
  for (const { message } of drafts) checkFeatures(driver, message)
  const start = performance.now()
  const server = await connection.connectBy(start + deadline, drafts.length)
  for (const draft of drafts) checkSize(draft, server)
  return { driver, left: Math.max(1, deadline - (performance.now() - start)) }
}

/** One receipt or error per message, in order, within the deadline (ms). Messages wait for a broker that is away. Never rejects. */
export async function confirm(
  connection: Connection,
  driver: Driver,
  queue: string,
  messages: readonly Message[],
  deadline: number,
): Promise<(Receipt | JobportError)[]> {
  const end = performance.now() + deadline
  const results = await confirmed(driver, queue, messages, deadline)
  for (let left = awayIn(results); left.length > 0; left = awayIn(results)) {
    if (!(await connection.held.wait(left.length, end))) break
    if (connection.closed) {
      for (const i of left) results[i] = CLOSED
      break
    }
    const wanted = left.map((i) => messages[i]!)
    const found = await confirmed(driver, queue, wanted, Math.max(1, end - performance.now()))
    for (const [k, i] of left.entries()) results[i] = found[k]!
  }
  return results.map((result, i) => receiptOf(messages[i]!, result))
}

const CLOSED: PublishResult = { status: 'rejected', error: new JobportError('CLOSED', 'the broker is closed') }

/** By index, what was not stored because the broker cannot be reached. */
function awayIn(results: readonly PublishResult[]): number[] {
  return results.flatMap((result, i) => (result.status === 'rejected' && result.error.code === 'UNAVAILABLE' ? [i] : []))
}

/** The driver's word, or `unknown` for all if it gives none in time. */
async function confirmed(driver: Driver, queue: string, messages: readonly Message[], ms: number): Promise<PublishResult[]> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(new JobportError('TIMEOUT', `no confirmation within ${Math.round(ms)} ms`)), ms)
  try {
    return await within(ms + GRACE, 'publishing', driver.publish(queue, messages, { signal: abort.signal }))
  } catch (error) {
    return messages.map(() => ({ status: 'unknown', error: error as JobportError }))
  } finally {
    clearTimeout(timer)
  }
}

function receiptOf({ id, uid }: Message, result: PublishResult): Receipt | JobportError {
  switch (result.status) {
    case 'added':
      return { id, added: true, uid }
    case 'duplicate':
      // its own uid: the driver met an earlier write of this same add
      if (result.uid === uid) return { id, added: true, uid }
      return { id, added: false, ...(result.uid !== undefined && { uid: result.uid }) }
    case 'rejected':
      return new JobportError(result.error.code, `job '${id}' was not stored: ${result.error.message}`, {
        id,
        cause: result.error,
      })
    case 'unknown':
      return new JobportError('UNCONFIRMED', `job '${id}' may or may not have been stored: ${result.error.message}`, {
        id,
        cause: result.error,
      })
  }
}

function checkDraft(draft: Draft, driver: Driver, server: ServerInfo): void {
  checkFeatures(driver, draft.message)
  checkSize(draft, server)
}

function checkFeatures(driver: Driver, { delay, backoff, priority, dedup }: Message): void {
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

function checkSize({ message, atMost }: Draft, { maxPayload }: ServerInfo): void {
  if (atMost <= maxPayload) return
  const size = Buffer.byteLength(JSON.stringify(message.data))
  if (size <= maxPayload) return
  throw new JobportError(
    'PAYLOAD_TOO_LARGE',
    `the payload of '${message.name}' has ${size} bytes; the server takes ${maxPayload}`,
  )
}
