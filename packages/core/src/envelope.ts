import { JobportError } from './errors.ts'
import type { Backoff, Json, Message } from './driver.ts'

/** Raised when a message changes so that an older worker would misread it. */
export const ENVELOPE_VERSION = 1

const MAX_INSTANT = 8.64e15
const ENCODER = new TextEncoder()
const DECODER = new TextDecoder('utf-8', { fatal: true })

/** Wire format for brokers that carry bytes. Those that carry JSON store a {@link Message} as their tools expect it. */
export function encode(message: Message): Uint8Array {
  return ENCODER.encode(JSON.stringify(message))
}

/** Throws `INVALID_MESSAGE`; then deliver {@link unreadable} instead, with `invalid` set. */
export function decode(bytes: Uint8Array): Message {
  let value: unknown
  try {
    value = JSON.parse(DECODER.decode(bytes))
  } catch (cause) {
    throw new JobportError('INVALID_MESSAGE', 'not JSON', { cause })
  }
  return readMessage(value)
}

/**
 * Checks what came from outside, field by field: other clients, other versions and attackers write to brokers too.
 * A newer envelope is read only as far as core needs to hand it back. Throws `INVALID_MESSAGE`.
 */
export function readMessage(value: unknown): Message {
  const {
    version = 1,
    id,
    uid,
    name,
    data,
    headers = {},
    addedAt,
    attempts = 1,
    backoff,
    timeout,
    delay,
    priority,
    dedup,
    ...unknown
  } = record(value, 'message')
  const identity = { version: count(version, 'version'), id: text(id, 'id'), uid: text(uid, 'uid') }
  if (identity.version > ENVELOPE_VERSION) {
    return { ...identity, name: String(name), data: null, headers: {}, addedAt: 0, attempts: 1 }
  }
  return {
    ...unknown,
    ...identity,
    name: text(name, 'name'),
    data: (data ?? null) as Json,
    headers: readHeaders(headers),
    addedAt: instant(addedAt, 'addedAt'),
    attempts: Math.max(1, count(attempts, 'attempts')),
    ...(backoff != null && { backoff: readBackoff(backoff) }),
    ...(timeout != null && { timeout: number(timeout, 'timeout') }),
    ...(delay != null && { delay: number(delay, 'delay') }),
    ...(priority != null && { priority: count(priority, 'priority') }),
    ...(dedup != null && { dedup: { ttl: number(record(dedup, 'dedup')['ttl'], 'dedup.ttl') } }),
  }
}

/** Stands in for a record that cannot be decoded, so that it can be dead-lettered with what was found. */
export function unreadable(uid: string, found: string): Message {
  return {
    version: ENVELOPE_VERSION,
    id: uid,
    uid,
    name: 'unreadable',
    data: found,
    headers: {},
    addedAt: Date.now(),
    attempts: 1,
  }
}

function readHeaders(value: unknown): Record<string, string> {
  const headers = record(value, 'headers')
  for (const name of Object.keys(headers)) text(headers[name], `header ${name}`, 0)
  return headers as Record<string, string>
}

function readBackoff(value: unknown): Backoff {
  const { type, delay = 0, max, jitter } = record(value, 'backoff')
  if (type !== 'fixed' && type !== 'exponential') throw invalid('backoff.type', "'fixed' or 'exponential'")
  return {
    type,
    delay: number(delay, 'backoff.delay'),
    ...(max != null && { max: number(max, 'backoff.max') }),
    ...(jitter != null && { jitter: number(jitter, 'backoff.jitter') }),
  }
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(what, 'an object')
  return value as Record<string, unknown>
}

function text(value: unknown, what: string, least = 1): string {
  if (typeof value !== 'string' || value.length < least) throw invalid(what, 'a string')
  return value
}

function number(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw invalid(what, 'a number ≥ 0')
  return value
}

/** Epoch ms that a Date can hold. */
function instant(value: unknown, what: string): number {
  if (number(value, what) > MAX_INSTANT) throw invalid(what, 'an instant')
  return value as number
}

function count(value: unknown, what: string): number {
  if (!Number.isSafeInteger(number(value, what))) throw invalid(what, 'a whole number')
  return value as number
}

function invalid(what: string, wanted: string): JobportError {
  return new JobportError('INVALID_MESSAGE', `${what} is not ${wanted}`)
}
