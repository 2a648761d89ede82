import { JobportError, type Message, type PublishResult } from '@jobport/core/driver'
import { claimOf } from './lease.ts'
import { hasGivenId, toWire, type Origin, type Travel } from './mapping.ts'
import { STRIDE, type Pace } from './pace.ts'
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
    const together = areDistinct && some.every(({ delay }) => delay === undefined)
    const recorded = some.filter((message) => isRecorded(via, message)).length
    if (together && recorded === 0) adding.push(via.post.sendAll(queue, some.map(plain), signal))
    else if (together && recorded === some.length) adding.push(addAllRecorded(via, queue, some, signal))
    else adding.push(Promise.all(some.map(inOrder)))
  }
  return (await Promise.all(adding)).flat()
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
  try {
    const ledger = await ledgers.of(queue)
    const refused = await refusalOf(ledger, message, signal)
    return refused ?? asResult(await record({ post, ledger }, queue, message, { signal }))
  } catch (error) {
    return notPublished(error as Error)
  }
}

/** The same for several of different ids without a delay. Never rejects. */
async function addAllRecorded(
  { post, ledgers }: Publishing,
  queue: string,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<PublishResult[]> {
  let ledger: LedgerApi
  try {
    ledger = await ledgers.of(queue)
  } catch (error) {
    return messages.map(() => notPublished(error as Error))
  }
  const refused = await Promise.all(messages.map((message) => refusalOf(ledger, message, signal)))
  const free = messages.filter((_, i) => !refused[i])
  const travel = travelOf(ledger)
  const wires = free.map((message) => toWire(message, travel))
  const sent = await post.sendAll(queue, wires, signal)
  const recorded = await Promise.all(
    free.map(async (message, i) => {
      const { copy } = wires[i]!
      return sent[i]!.status === 'added' ? asResult(await claim(ledger, message, { copy, travel }, signal)) : sent[i]!
    }),
  )
  const answers = recorded.values()
  return refused.map((refusal) => refusal ?? answers.next().value!)
}

/** What is to be said of a job whose id is taken, or that could not be asked about. Never rejects. */
async function refusalOf(ledger: LedgerApi, message: Message, signal: AbortSignal): Promise<PublishResult | undefined> {
  if (!hasGivenId(message)) return undefined
  try {
    const holder = await ledger.taken(message.id, { signal })
    return holder === undefined || holder === message.uid ? undefined : { status: 'duplicate', uid: holder }
  } catch (error) {
    return notPublished(error as Error)
  }
}

function asResult(result: PublishResult | 'missing'): PublishResult {
  return result === 'missing' ? { status: 'rejected', error: new JobportError('REJECTED', 'the ledger refused it') } : result
}

/** The message first, then the claim: a producer that is killed between them leaves no id taken without a job. Never rejects. */
export async function record(
  { post, ledger }: { post: Post; ledger: LedgerApi },
  queue: string,
  message: Message,
  { signal, from }: { readonly signal?: AbortSignal; readonly from?: Origin },
): Promise<PublishResult | 'missing'> {
  const travel = travelOf(ledger, from)
  const wire = toWire(message, travel)
  const sent = await post.send(queue, wire, message.delay ?? 0, signal)
  return sent.status === 'added' ? claim(ledger, message, { copy: wire.copy, travel }, signal) : sent
}

function travelOf({ epoch, seen }: LedgerApi, from?: Origin): Travel {
  return { attempt: 1, crashes: 0, ledger: { epoch, seen, first: true, ...(from && { from }) } }
}

/** Of a job whose message is there. Never rejects. */
async function claim(
  ledger: LedgerApi,
  message: Message,
  { copy, travel }: { readonly copy: string; readonly travel: Travel },
  signal: AbortSignal | undefined,
): Promise<PublishResult | 'missing'> {
  try {
    const answer = await ledger.append({ type: 'claim', ...claimOf({ message, copy, travel }) }, signal ? { signal } : {})
    if (answer.status === 'missing') return 'missing'
    return answer.status === 'duplicate' ? { status: 'duplicate', uid: answer.uid } : { status: 'added' }
  } catch (error) {
    return { status: 'unknown', error: error as JobportError }
  }
}

/** Nothing was published yet, whatever became of the question. */
function notPublished(error: Error): PublishResult {
  if (error instanceof JobportError && error.code !== 'UNCONFIRMED') return { status: 'rejected', error }
  return {
    status: 'rejected',
    error: new JobportError('UNAVAILABLE', `the ledger did not answer: ${error.message}`, { cause: error }),
  }
}

function neverSent(signal: AbortSignal): PublishResult {
  return { status: 'rejected', error: new JobportError('UNAVAILABLE', 'not sent in time', { cause: signal.reason }) }
}
