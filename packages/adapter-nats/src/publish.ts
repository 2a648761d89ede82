import { JobportError, type Message, type PublishResult } from '@jobport/core/driver'
import { setTimeout as pause } from 'node:timers/promises'
import { Gate } from './gate.ts'
import { isRefusal, isUnheard, isUnstored, isPassing, toJobportError, Unsent } from './faults.ts'
import { messageWrite, isFinal, takenUntil, uidOf } from './mapping.ts'
import { placeOf, toToken } from './names.ts'
import type { Records, Write } from './records.ts'
import type { StoredRecord } from './stored-record.ts'
import type { Topology } from './topology.ts'

/** Added at once, in order, over one connection. */
const IN_FLIGHT = 256
const IN_FLIGHT_PAUSE = 10
const RETRY_PAUSE = 100

export interface Publishing {
  readonly records: Records
  readonly topology: Topology
  readonly signal: AbortSignal
}

export async function publish(messages: readonly Message[], publishing: Publishing): Promise<PublishResult[]> {
  const { signal } = publishing
  const { promise: aborted, resolve: abort } = Promise.withResolvers<PublishResult>()
  const onAbort = (): void => abort({ status: 'unknown', error: toJobportError(signal.reason, 'publishing') })
  signal.addEventListener('abort', onAbort)
  const gate = new Gate(IN_FLIGHT)
  try {
    const made = await Promise.race([prepare(messages, publishing), aborted])
    if (made) return messages.map(() => (made.status === 'unknown' ? neverSent(signal.reason) : made))
    return await Promise.all(
      messages.map((message) =>
        gate.pass(async () => (signal.aborted ? neverSent(signal.reason) : Promise.race([add(message, publishing), aborted]))),
      ),
    )
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Makes what the messages need. Answers what is to be said of all of them if that fails. */
async function prepare(
  messages: readonly Message[],
  { records, topology, signal }: Publishing,
): Promise<PublishResult | undefined> {
  for (;;) {
    try {
      for (const level of new Set(messages.map(({ priority = 0 }) => Math.min(priority, 9))))
        await topology.ensure(records.names, level)
      return undefined
    } catch (error) {
      if (signal.aborted) return neverSent(signal.reason)
      if (!isPassing(error)) return failure('rejected', error)
      await pause(RETRY_PAUSE)
    }
  }
}

/** What the tries so far have told. */
interface Attempt {
  /** The sequence on which the id is free. */
  expected: number
  /** Why it may have been stored although nobody said so. */
  doubt?: unknown
}

/** Never rejects. A repeat of its own is known by the `uid` that it finds. */
async function add(message: Message, publishing: Publishing): Promise<PublishResult> {
  const { records, topology, signal } = publishing
  const token = toToken(message.id)
  const of = records.names.any(token)
  const attempt: Attempt = { expected: 0 }
  let write: Write
  try {
    write = messageWrite(records.names, token, message, Date.now())
  } catch (error) {
    return failure('rejected', error)
  }
  while (!signal.aborted) {
    try {
      const seq = await records.write(write, { seq: attempt.expected, of })
      // the job is stored: should this fail, its workers find it
      await topology.stored(records.names, seq).catch(() => {})
      return { status: 'added' }
    } catch (error) {
      const end = await react(error, attempt, message, publishing)
      if (end) return end
    }
  }
  return attempt.doubt === undefined ? neverSent(signal.reason) : failure('unknown', attempt.doubt)
}

/** The end of the add, or `undefined` if it is to be tried again. */
async function react(
  fault: unknown,
  attempt: Attempt,
  message: Message,
  { records, topology }: Publishing,
): Promise<PublishResult | undefined> {
  if (isRefusal(fault, 'conflict')) return resolveConflict(attempt, message, records)
  if (isRefusal(fault, 'inFlight')) return pause(IN_FLIGHT_PAUSE)
  if (fault instanceof Unsent && isPassing(fault) && attempt.doubt !== undefined) return pause(RETRY_PAUSE)
  if (!isUnheard(fault)) {
    if (isUnstored(fault)) return failure(attempt.doubt === undefined ? 'rejected' : 'unknown', fault)
    attempt.doubt = fault
    return pause(RETRY_PAUSE)
  }
  topology.forget(records.names)
  await pause(RETRY_PAUSE)
  await topology.ensure(records.names, message.priority).catch(() => {})
  return undefined
}

async function resolveConflict(attempt: Attempt, { id, uid }: Message, records: Records): Promise<PublishResult | undefined> {
  try {
    const verdict = await judge(records, records.names.any(toToken(id)), uid)
    if (typeof verdict === 'object') return verdict
    attempt.expected = verdict
  } catch (error) {
    attempt.doubt = error
    await pause(RETRY_PAUSE)
  }
  return undefined
}

/** What the id's newest record means to an add: its answer, or the sequence on which the id is free. */
async function judge(records: Records, of: string, uid: string): Promise<PublishResult | number> {
  const newest = await records.last(of)
  if (!newest) return 0
  const holder = uidOf(newest)
  if (holder === uid) return { status: 'added' }
  return isTaken(newest) ? { status: 'duplicate', uid: holder } : newest.seq
}

/** Whether the record, an id's newest, keeps the id taken. */
export function isTaken(record: StoredRecord): boolean {
  const { state } = placeOf(record.subject)
  if (state === 'x') return !isFinal(record)
  if (state === 'c') return takenUntil(record) > Date.now()
  return state === 'w' || state === 'd'
}

function failure(status: 'rejected' | 'unknown', error: unknown): PublishResult {
  return { status, error: toJobportError(error, 'publishing') }
}

function neverSent(cause: unknown): PublishResult {
  return { status: 'rejected', error: new JobportError('UNAVAILABLE', 'not sent in time', { cause }) }
}
