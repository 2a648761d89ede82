import { JobportError, type Message, type PublishResult } from '@jobport/core/driver'
import { isRefusal, toJobportError } from './faults.ts'
import { hasGivenId, toOptions } from './mapping.ts'
import type { Ledger } from './ledger.ts'
import type { NativeQueue } from './store.ts'

/** Added at once, in order, over one connection. */
const BATCH = 500
/** A holder of an id can end, and another take its place, between two looks. */
const TRIES = 5

export async function publish(
  queue: NativeQueue,
  ledger: Ledger,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<PublishResult[]> {
  const results: PublishResult[] = []
  for (let from = 0; from < messages.length; from += BATCH) {
    const batch = messages.slice(from, from + BATCH)
    results.push(...(signal.aborted ? batch.map(() => neverSent(signal)) : await addAll(queue, ledger, batch, signal)))
  }
  return results
}

function addAll(queue: NativeQueue, ledger: Ledger, messages: readonly Message[], signal: AbortSignal): Promise<PublishResult[]> {
  const { promise, resolve } = Promise.withResolvers<PublishResult[]>()
  const results: PublishResult[] = []
  let open = messages.length
  const added = async (message: Message, i: number): Promise<void> => {
    results[i] = await add(queue, ledger, message)
    if (--open === 0) resolve(results)
  }
  const onAbort = (): void => {
    const error = toJobportError(signal.reason, 'publishing')
    resolve(messages.map((_, i) => results[i] ?? { status: 'unknown', error }))
  }
  signal.addEventListener('abort', onAbort)
  messages.forEach((message, i) => void added(message, i))
  return promise.finally(() => signal.removeEventListener('abort', onAbort))
}

/** Never rejects. BullMQ's word on who holds the id is checked before it is passed on. */
async function add(queue: NativeQueue, ledger: Ledger, message: Message): Promise<PublishResult> {
  try {
    for (let tries = 1; ; tries++) {
      const { id: holder } = await queue.add(message.name, message.data, toOptions(message, Date.now()))
      if (holder === message.uid) return { status: 'added' }
      const isFree = hasGivenId(message) && tries < TRIES && (await ledger.free(message.id, holder!))
      if (!isFree) return { status: 'duplicate', uid: holder! }
    }
  } catch (error) {
    return { status: isRefusal(error) ? 'rejected' : 'unknown', error: toJobportError(error, 'publishing') }
  }
}

function neverSent(signal: AbortSignal): PublishResult {
  return { status: 'rejected', error: new JobportError('UNAVAILABLE', 'not sent in time', { cause: signal.reason }) }
}
