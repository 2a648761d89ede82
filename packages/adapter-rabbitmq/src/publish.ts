import { JobportError, type Message, type PublishResult } from '@jobport/core/driver'
import { toJobportError } from './faults.ts'
import { hasGivenId, toWire } from './mapping.ts'
import { onAbort } from './on-abort.ts'
import { STRIDE, type Pace } from './pace.ts'
import { record, recordAll, unlessMissing } from './record.ts'
import type { LedgerApi } from './ledger/api.ts'
import type { Ledgers } from './ledgers.ts'
import type { Post } from './post.ts'
import type { Wire } from './wire.ts'

export interface Publishing {
  readonly post: Post
  readonly ledgers: Ledgers
  readonly pace: Pace
  /** Every job goes through the ledger. */
  readonly all: boolean
}

/** Sent at once, in order, before the first answer is waited for. */
const BATCH = 500

export async function publish(
  via: Publishing,
  queue: string,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<PublishResult[]> {
  const results: PublishResult[] = []
  for (let from = 0; from < messages.length; from += BATCH) {
    const batch = messages.slice(from, from + BATCH)
    results.push(...(signal.aborted ? batch.map(() => neverSent(signal)) : await addAll(via, queue, batch, signal)))
  }
  return results
}

/** So many in a turn of the event loop. */
async function addAll(
  via: Publishing,
  queue: string,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<PublishResult[]> {
  const adding: Promise<PublishResult[]>[] = []
  const inOrder = orderly((message) => add(via, queue, message, signal))
  const areDistinct = new Set(messages.map(({ id }) => id)).size === messages.length
  for (let from = 0; from < messages.length; from += STRIDE) {
    const some = messages.slice(from, from + STRIDE)
    const turn = via.pace.enter(some.length)
    if (turn) await turn
    const together = areDistinct && addTogether(via, queue, some, signal)
    adding.push(unlessLate(together || Promise.all(some.map(inOrder)), some.length, signal))
  }
  return (await Promise.all(adding)).flat()
}

/** A frozen broker answers neither the ledger's questions nor the opening of a channel; once the signal has fired nobody waits for that. */
function unlessLate(adding: Promise<PublishResult[]>, count: number, signal: AbortSignal): Promise<PublishResult[]> {
  return new Promise((resolve) => {
    const late = (): PublishResult => ({ status: 'unknown', error: toJobportError(signal.reason, 'publishing') })
    // what heeds the signal itself knows more: it answers first
    const heard = onAbort(signal, () => setImmediate(() => resolve(Array.from({ length: count }, late))))
    void adding.then((results) => {
      heard()
      resolve(results)
    })
  })
}

/** In one go what takes the same way, if none of it may meet another holder of its id; `undefined`: it is not so. */
function addTogether(
  via: Publishing,
  queue: string,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<PublishResult[]> | undefined {
  if (messages.some(({ delay }) => delay !== undefined)) return undefined
  const recorded = messages.filter((message) => isRecorded(via, message))
  if (recorded.length === 0) return via.post.sendAll(queue, messages.map(plain), signal)
  if (recorded.length < messages.length) return undefined
  const ledger = via.ledgers.of(queue)
  if (ledger instanceof Promise || messages.some((message) => hasGivenId(message) && !ledger.isFree(message.id))) return undefined
  return recordAll({ post: via.post, ledger }, queue, messages, signal)
}

/** Two of the same id go one after the other, so that the first of them wins. */
function orderly(add: (message: Message) => Promise<PublishResult>): (message: Message) => Promise<PublishResult> {
  const before = new Map<string, Promise<PublishResult>>()
  return (message) => {
    const earlier = before.get(message.id)
    const added = earlier ? earlier.then(() => add(message)) : add(message)
    before.set(message.id, added)
    return added
  }
}

/** Never rejects. */
function add(via: Publishing, queue: string, message: Message, signal: AbortSignal): Promise<PublishResult> {
  if (isRecorded(via, message)) return addRecorded(via, queue, message, signal)
  return via.post.send(queue, plain(message), message.delay ?? 0, signal)
}

function isRecorded({ all }: Publishing, message: Message): boolean {
  return all || hasGivenId(message)
}

/** The wire form of a job that only its queue knows. */
function plain(message: Message): Wire {
  return toWire(message, { attempt: 1, crashes: 0 })
}

/** Never rejects. */
async function addRecorded(
  { post, ledgers }: Publishing,
  queue: string,
  message: Message,
  signal: AbortSignal,
): Promise<PublishResult> {
  let ledger: LedgerApi
  try {
    const followed = ledgers.of(queue)
    ledger = followed instanceof Promise ? await followed : followed
    const taken = hasGivenId(message) ? ledger.taken(message.id, { signal }) : undefined
    const holder = taken && (await taken)
    if (holder !== undefined && holder !== message.uid) return { status: 'duplicate', uid: holder }
  } catch (error) {
    return { status: 'rejected', error: unavailable(error as Error) }
  }
  return unlessMissing(await record({ post, ledger }, queue, message, { signal }))
}

/** Nothing was published yet, whatever became of the question. */
function unavailable(error: Error): JobportError {
  if (error instanceof JobportError && error.code !== 'UNCONFIRMED') return error
  return new JobportError('UNAVAILABLE', `the ledger did not answer: ${error.message}`, { cause: error })
}

function neverSent(signal: AbortSignal): PublishResult {
  return { status: 'rejected', error: new JobportError('UNAVAILABLE', 'not sent in time', { cause: signal.reason }) }
}
