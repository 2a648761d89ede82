import { JobportError, type Message, type PublishResult } from '@jobport/core/driver'
import { isRefusal, toJobportError } from './faults.ts'
import { hasGivenId, toJson } from './mapping.ts'
import type { Ledger } from './ledger.ts'
import type { IQueueBackend } from 'bullmq'

/** Added at once, in order, over one connection. */
const BATCH = 500
/** A holder of an id can end, and another take its place, between two looks. */
const TRIES = 5
const ADDED: PublishResult = { status: 'added' }

export async function publish(
  backend: IQueueBackend,
  ledger: Ledger,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<PublishResult[]> {
  const results: PublishResult[] = []
  for (let from = 0; from < messages.length; from += BATCH) {
    const batch = messages.slice(from, from + BATCH)
    results.push(...(signal.aborted ? batch.map(() => neverSent(signal)) : await addAll(backend, ledger, batch, signal)))
  }
  return results
}

/** Never rejects. */
function addAll(
  backend: IQueueBackend,
  ledger: Ledger,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<PublishResult[]> {
  const { promise, resolve } = Promise.withResolvers<PublishResult[]>()
  const results: PublishResult[] = []
  let open = messages.length
  const onAbort = (): void => {
    const error = toJobportError(signal.reason, 'publishing')
    resolve(messages.map((_, i) => results[i] ?? { status: 'unknown', error }))
  }
  const told = (i: number, result: PublishResult): void => {
    results[i] = result
    if (--open > 0) return
    signal.removeEventListener('abort', onAbort)
    resolve(results)
  }
  signal.addEventListener('abort', onAbort)
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i]!
    add(backend, message).then(
      (holder) => {
        if (holder === message.uid) told(i, ADDED)
        else void answered(backend, ledger, message, holder).then((result) => told(i, result))
      },
      (error: unknown) => told(i, failed(error)),
    )
  }
  return promise
}

/** Answers the uid of whoever holds the id. */
async function add(backend: IQueueBackend, message: Message): Promise<string> {
  return backend.addJob(toJson(message, Date.now()), message.uid)
}

/** BullMQ's word on who holds the id is checked before it is passed on. Never rejects. */
async function answered(backend: IQueueBackend, ledger: Ledger, message: Message, holder: string): Promise<PublishResult> {
  try {
    for (let tries = 1; hasGivenId(message) && tries < TRIES && (await ledger.free(message.id, holder)); tries++) {
      holder = await add(backend, message)
      if (holder === message.uid) return ADDED
    }
    return { status: 'duplicate', uid: holder }
  } catch (error) {
    return failed(error)
  }
}

function failed(error: unknown): PublishResult {
  return { status: isRefusal(error) ? 'rejected' : 'unknown', error: toJobportError(error, 'publishing') }
}

function neverSent(signal: AbortSignal): PublishResult {
  return { status: 'rejected', error: new JobportError('UNAVAILABLE', 'not sent in time', { cause: signal.reason }) }
}
