import {
  encode,
  JobportError,
  readMessage,
  toJobError,
  unreadable,
  type DeadReason,
  type JobError,
  type Json,
  type Message,
} from '@jobport/core/driver'
import { fromToken, placeOf, type Names } from './names.ts'
import type { Write } from './records.ts'
import type { StoredRecord } from './stored-record.ts'

/** A job's state beside its envelope. The body stays as its producer wrote it, with fields that we do not know. */
export interface State {
  readonly uid: string
  readonly attempt: number
  readonly crashes: number
  /** Epoch ms, of a job that waits for its time or has waited. */
  readonly dueAt?: number
}

/** A record, read. `invalid` if it is no message. */
export interface Reading extends State {
  readonly message: Message
  readonly invalid?: JobError
  /** By which its subjects name it: that of its id. */
  readonly token: string
  readonly level: number
}

/** How a record became what it is: the settlement that wrote it knows it again by this. */
export const BY = 'jobport-by'
const HEADERS = {
  uid: 'jobport-uid',
  attempt: 'jobport-attempt',
  crashes: 'jobport-crashes',
  due: 'jobport-due',
  dead: 'jobport-dead',
} as const
/** Of a uid that a header can carry as it is, and a subject in short. What other programs write may be anything. */
const UID = /^[\x21-\x7e]{1,200}$/
/** The last moment that JavaScript knows, epoch ms. */
const LAST_MOMENT = 8.64e15
const REASONS: ReadonlySet<DeadReason> = new Set<DeadReason>(['attempts', 'unrecoverable', 'crashes', 'invalid', 'unknown'])
const UNTIL = 'jobport-until'
const REMOVAL = 'jobport-removal'

/** Waiting for a worker, or for its time. */
export function liveWrite(names: Names, token: string, level: number, state: State, data: Uint8Array): Write {
  const { uid, dueAt } = state
  const target = names.waiting(level, token, uid)
  const headers = stateHeaders(state)
  if (dueAt === undefined) return { subject: target, headers, data }
  if (!(dueAt <= LAST_MOMENT)) throw new JobportError('REJECTED', `a job cannot be due at ${dueAt}: no such date`)
  const schedule = { 'Nats-Schedule': `@at ${new Date(dueAt).toISOString()}`, 'Nats-Schedule-Target': target }
  return { subject: names.delayed(level, token, uid), headers: { ...headers, ...schedule }, data }
}

export function messageWrite(names: Names, token: string, message: Message, now: number): Write {
  const { uid, delay = 0, priority = 0 } = message
  const state = { uid, attempt: 1, crashes: 0, ...(delay > 0 && { dueAt: now + Math.ceil(delay) }) }
  return liveWrite(names, token, Math.min(priority, 9), state, encode(message))
}

/** `until`, epoch ms: how long the id stays taken. It goes after `ttl` ms. */
export function completedWrite(names: Names, token: string, state: State, result: Json, ttl: number, until: number): Write {
  const headers = { ...stateHeaders(state), 'Nats-TTL': seconds(ttl), ...(until > 0 && { [UNTIL]: String(until) }) }
  return { subject: names.completed(token, state.uid), headers, data: JSON.stringify(result) }
}

export function deadWrite(
  names: Names,
  token: string,
  state: State,
  reason: DeadReason,
  error: JobError,
  data: Uint8Array,
): Write {
  const headers = { ...stateHeaders(state), [HEADERS.dead]: JSON.stringify({ reason, error }) }
  return { subject: names.dead(token, state.uid), headers, data }
}

/** Stands for a job that is being removed, or has been; gone after `ttl` ms. */
export function tombstoneWrite(subject: string, uid: string, stage: 'intent' | 'final', ttl: number): Write {
  return { subject, headers: { [HEADERS.uid]: uid, [REMOVAL]: stage, 'Nats-Rollup': 'sub', 'Nats-TTL': seconds(ttl) }, data: '' }
}

/** Our jobs, and those of any program that writes JSON with a `name` to a subject of waiting jobs. */
export function read(record: StoredRecord): Reading {
  const { detail, token } = placeOf(record.subject)
  const text = new TextDecoder().decode(record.data)
  const state = readState(record)
  const place = { token, level: /^\d$/.test(detail) ? Number(detail) : 0 }
  const id = fromToken(token) ?? state.uid
  try {
    const { level } = place
    const message = readMessage({
      addedAt: record.time,
      ...(level > 0 && { priority: level }),
      ...parse(record.data),
      id,
      uid: state.uid,
    })
    return { ...state, ...place, message }
  } catch (error) {
    const invalid = new JobportError('INVALID_MESSAGE', `job ${id}: ${(error as Error).message}`)
    return {
      ...state,
      ...place,
      message: { ...unreadable(state.uid, text), id, addedAt: record.time },
      invalid: toJobError(invalid),
    }
  }
}

/** Whose record it is: said beside the body, else in it, else made of where it lies. */
export function uidOf(record: StoredRecord): string {
  const uid = header(record, HEADERS.uid) ?? bodyUid(record)
  return uid !== undefined && UID.test(uid) ? uid : `${record.seq}-${record.time}`
}

export function readDead(record: StoredRecord): { reason: DeadReason; error: JobError; at: number } {
  const { reason, error } = parseDead(header(record, HEADERS.dead))
  const { name, message, stack } = error ?? {}
  return {
    reason: reason !== undefined && REASONS.has(reason) ? reason : 'attempts',
    error: {
      name: String(name ?? 'Error'),
      message: String(message ?? ''),
      ...(stack !== undefined && { stack: String(stack) }),
    },
    at: record.time,
  }
}

/** What another program wrote there may be anything. */
function parseDead(text = '{}'): { reason?: DeadReason; error?: Partial<JobError> } {
  try {
    return (JSON.parse(text) as { reason?: DeadReason; error?: Partial<JobError> } | null) ?? {}
  } catch {
    return {}
  }
}

/** Epoch ms until which a completed job keeps its id. */
export function takenUntil(record: StoredRecord): number {
  return Number(header(record, UNTIL) ?? 0)
}

/** Of a tombstone: whether the removal is decided. */
export function isFinal(record: StoredRecord): boolean {
  return header(record, REMOVAL) === 'final'
}

/** Of a waiting one: whether its time has come just now. */
export function isScheduled(record: StoredRecord): boolean {
  return header(record, HEADERS.due) !== undefined
}

/** Of a delayed one: whether its time has come, and the server is about to move it. */
export function isDue(record: StoredRecord): boolean {
  return Number(header(record, HEADERS.due) ?? NaN) <= Date.now()
}

export function header({ headers }: StoredRecord, name: string): string | undefined {
  return headers?.get(name) || undefined
}

/** The body of a dead job as that of a new one. */
export function revive(record: StoredRecord, as: { readonly uid: string; readonly attempts?: number }): Uint8Array {
  const { message, invalid } = read(record)
  const { delay: _, dedup: __, ...body } = invalid ? message : { ...message, ...parse(record.data), id: message.id }
  return encode({ ...body, uid: as.uid, ...(as.attempts !== undefined && { attempts: as.attempts }) })
}

function readState(record: StoredRecord): State {
  const due = Number(header(record, HEADERS.due) ?? NaN)
  return {
    uid: uidOf(record),
    attempt: count(header(record, HEADERS.attempt), 1),
    crashes: count(header(record, HEADERS.crashes), 0),
    ...(due > 0 && due <= LAST_MOMENT && { dueAt: due }),
  }
}

function stateHeaders({ uid, attempt, crashes, dueAt }: State): Record<string, string> {
  return {
    [HEADERS.uid]: uid,
    ...(attempt > 1 && { [HEADERS.attempt]: String(attempt) }),
    ...(crashes > 0 && { [HEADERS.crashes]: String(crashes) }),
    ...(dueAt !== undefined && { [HEADERS.due]: String(dueAt) }),
  }
}

function bodyUid({ data }: StoredRecord): string | undefined {
  try {
    const { uid } = parse(data)
    return typeof uid === 'string' ? uid : undefined
  } catch {
    return undefined
  }
}

function parse(data: Uint8Array): Record<string, unknown> {
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data))
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new JobportError('INVALID_MESSAGE', 'message is not an object')
  return value as Record<string, unknown>
}

function count(text: string | undefined, least: number): number {
  const value = Number(text ?? least)
  return Number.isSafeInteger(value) && value >= least ? value : least
}

/** The server's TTLs are whole seconds, at least one. */
function seconds(ms: number): string {
  return `${Math.max(1, Math.ceil(ms / 1_000))}s`
}

/** Takes a dead letter's place for the moment that its removal takes. */
export function tombstoneRedriven({ subject }: StoredRecord): Write {
  return { subject, headers: { 'Nats-Rollup': 'sub', 'Nats-TTL': seconds(1) }, data: '' }
}
