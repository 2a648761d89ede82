import { setTimeout as pause } from 'node:timers/promises'
import { isRefusal } from './faults.ts'
import { isFinal, isScheduled, tombstoneWrite, uidOf } from './mapping.ts'
import { placeOf, type Names } from './names.ts'
import type { Expectation, Records, Write } from './records.ts'
import type { StoredRecord } from './stored-record.ts'
import type { Topology } from './topology.ts'

/** A removal that takes longer has failed, and the job is live again; ms. */
const TTL = 10_000
/** A job can come due, be taken or be run again meanwhile: so often. */
const TRIES = 20
/** ms. */
const IN_FLIGHT_PAUSE = 10

/** The newest sequence that each priority's consumer has delivered. */
export type Delivered = ReadonlyMap<number, number>

export async function delivered(topology: Topology, names: Names): Promise<Delivered> {
  const consumers = await topology.consumers(names)
  return new Map([...consumers].map(([level, info]) => [level, info.delivered.stream_seq]))
}

/** Whether a worker has it, or had it and is lost: in both cases it is not waiting. */
export function isActive({ subject, seq }: StoredRecord, reached: Delivered): boolean {
  const { state, detail } = placeOf(subject)
  return state === 'w' && seq <= (reached.get(Number(detail)) ?? 0)
}

/**
 * Removes waiting and delayed jobs; answers how many of them will never run.
 *
 * The server cannot refuse to remove what a worker has. So it takes two steps: an intent, at which workers that are
 * given the job from now on wait; then a look whether one was given it before. If not, the decision, on the condition
 * that the intent still stands; else the intent is withdrawn. What a worker sees first it runs, and what it does not
 * see decided it does not drop.
 */
export async function removeJobs(found: readonly StoredRecord[], records: Records, topology: Topology): Promise<number> {
  const reached = await delivered(topology, records.names)
  const idle = found.filter((record) => !isActive(record, reached))
  if (idle.length === 0) return 0
  const intents = await Promise.all(idle.map((record) => intend(record, records)))
  const reachedNow = await delivered(topology, records.names)
  const ends = await Promise.all(idle.map((record, i) => decide(record, intents[i], reachedNow, records)))
  const removed = ends.filter((end) => end === 'removed').length
  const again = await Promise.all(
    ends.flatMap((end, i) =>
      end === 'moved' ? [removeById(placeOf(idle[i]!.subject).token, records, topology, uidOf(idle[i]!))] : [],
    ),
  )
  return removed + again.filter(Boolean).length
}

/** Removes the live job that holds the id of this token, if it is `uid`, or whichever it is. */
export async function removeById(token: string, records: Records, topology: Topology, uid?: string): Promise<boolean> {
  for (let tries = 0; tries < TRIES; tries++) {
    const newest = await records.last(records.names.any(token))
    if (!newest || (uid !== undefined && uidOf(newest) !== uid)) return false
    const { state } = placeOf(newest.subject)
    if (state !== 'w' && state !== 'd' && !(state === 'x' && !isFinal(newest))) return false
    const reached = await delivered(topology, records.names)
    if (isActive(newest, reached)) return false
    const intent = state === 'x' ? undefined : await intend(newest, records)
    const end = intent === undefined ? 'moved' : await decide(newest, intent, await delivered(topology, records.names), records)
    if (end !== 'moved') return end === 'removed'
    await pause(tries * 5)
  }
  return false
}

/**
 * Removes a record that a schedule left behind when its job was removed at the very moment at which it came due: it is
 * newer than whatever holds the id by now. Answers whether it was such a one.
 */
export async function removeStray(record: StoredRecord, records: Records): Promise<boolean> {
  const { state, token } = placeOf(record.subject)
  if (state !== 'w' || !isScheduled(record)) return false
  const tombstone = await records.last(records.names.removed(token, uidOf(record)))
  return tombstone !== undefined && isFinal(tombstone) && records.remove(record.seq)
}

/** Its sequence; `undefined` if the record is not the id's newest any more. */
async function intend(record: StoredRecord, records: Records): Promise<number | undefined> {
  const { names } = records
  const { token } = placeOf(record.subject)
  const uid = uidOf(record)
  return unlessConflict(
    records.write(tombstoneWrite(names.removed(token, uid), uid, 'intent', TTL), { seq: record.seq, of: names.any(token) }),
  )
}

async function decide(
  record: StoredRecord,
  intent: number | undefined,
  reached: Delivered,
  records: Records,
): Promise<'removed' | 'active' | 'moved'> {
  if (intent === undefined) return 'moved'
  if (isActive(record, reached)) {
    await records.remove(intent)
    return 'active'
  }
  const isDelayed = placeOf(record.subject).state === 'd'
  // one that has just come due is a new record, which may also arrive after this
  if (isDelayed && !(await records.remove(record.seq))) {
    await records.remove(intent)
    return 'moved'
  }
  const { token } = placeOf(record.subject)
  const uid = uidOf(record)
  const decision = tombstoneWrite(records.names.removed(token, uid), uid, 'final', TTL)
  if (!(await conclude(decision, { seq: intent, of: records.names.any(token) }, records))) {
    await records.remove(intent)
    // its record is gone: unless it came due before that, nothing is left to move
    const newest = isDelayed ? await records.last(records.names.any(token)) : record
    return newest && uidOf(newest) === uid ? 'moved' : 'removed'
  }
  if (!isDelayed) await records.remove(record.seq)
  return 'removed'
}

/** Whether the decision is written: not if the intent does not stand any more. Another write to the same id holds it up for a moment only. */
async function conclude(decision: Write, intent: Expectation, records: Records): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      await records.write(decision, intent)
      return true
    } catch (error) {
      if (isRefusal(error, 'conflict')) return false
      if (!isRefusal(error, 'inFlight') || tries === TRIES) throw error
      await pause(IN_FLIGHT_PAUSE)
    }
  }
}

async function unlessConflict(write: Promise<number>): Promise<number | undefined> {
  try {
    return await write
  } catch (error) {
    if (isRefusal(error, 'conflict') || isRefusal(error, 'inFlight')) return undefined
    throw error
  }
}
