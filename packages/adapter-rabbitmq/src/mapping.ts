import { randomBytes } from 'node:crypto'
import {
  ENVELOPE_VERSION,
  JobportError,
  readMessage,
  toJobError,
  unreadable,
  type DeadReason,
  type JobError,
  type Message,
} from '@jobport/core/driver'
import { appIdOf, isOurs, markIn, versionIn, type Mark } from './app-id.ts'
import { errorText } from './error-text.ts'
import { escaped, excess, fitting, isBrokers, isUsers, LARGEST_TABLE, sizeOf, unescaped, type Table } from './headers.ts'
import { isUsual, policyOf, readPolicy, shortened } from './policy.ts'
import { newToken } from './token.ts'
import type { Wire } from './wire.ts'
import type { Message as NativeMessage, Options } from 'amqplib'

/** A job that another client put here without an id gets one, which the copy for its next run keeps. */
const ANONYMOUS = 'amqp-'
const HIGHEST_PRIORITY = 9
/** Bytes of an error as JSON, which core keeps below. */
const LARGEST_ERROR = 22_528
/** What every copy says for itself. */
const MARK = /^jobport-(copy|attempt|crashes|epoch|seen|first|from|reason|error|dead-at|letter)$/
/** What only a policy brings about, as our queues set no such limits. */
const BY_POLICY: Readonly<Record<string, string>> = {
  expired: ', as a policy sets message-ttl',
  maxlen: ', as a policy sets max-length and overflow',
  delivery_limit: ', as a policy sets delivery-limit',
}
const DECODER = new TextDecoder('utf-8', { fatal: true })

/** The dead letter that a life was redriven from. */
export interface Origin {
  readonly uid: string
  readonly letter: string
}

/** What travels with a message beside the job. */
export interface Travel extends Omit<Mark, 'copy'> {
  /** Of a job that was redriven. */
  readonly from?: Origin
}

/** Why a job is dead; on messages in the dead letters. */
export interface DeadNote {
  readonly reason: DeadReason
  readonly error: JobError
  /** Epoch ms. */
  readonly at: number
  /** Names this dead letter; later ones sort after earlier ones. */
  readonly letter: string
}

/** Read from a message; `invalid` if it is no job. */
export interface Reading {
  readonly message: Message
  readonly travel: Travel
  readonly copy: string
  /** It has no id of its own that a redelivery would show again. */
  readonly anonymous: boolean
  readonly dead?: DeadNote
  readonly invalid?: JobError
}

/** A caller's id. One that core made is the uid as well. */
export function hasGivenId({ id, uid }: Message): boolean {
  return id !== uid
}

/**
 * How a job that is added looks on the wire: its data is the body, its name the type, its uid the message id, its id the
 * correlation id. What says no more than its absence does is left out.
 */
export function toWire(message: Message, travel: Travel): Wire {
  const { uid, name, data, headers, addedAt, priority = 0 } = message
  const copy = travel.ledger ? newToken() : uid
  const native: Record<string, unknown> = escaped(headers)
  if (!isUsual(message)) native['jobport'] = policyOf(message)
  if (travel.from) native['jobport-from'] = JSON.stringify(travel.from)
  const properties: Options.Publish = {
    messageId: uid,
    type: shortened(name),
    appId: appIdOf(message.version, travel.ledger && { copy, ...travel }),
    contentType: 'application/json',
    timestamp: Math.floor(addedAt / 1_000),
    priority: HIGHEST_PRIORITY - priority,
    mandatory: true,
    persistent: true,
  }
  if (hasGivenId(message)) properties.correlationId = message.id
  // amqplib makes an object on top of it, which is dear
  if (Object.keys(native).length > 0) properties.headers = native
  return { content: Buffer.from(JSON.stringify(data)), properties, copy }
}

/** The same bytes under a new token: also of what cannot be read, or was written by a newer version. */
export function copyOf({ content, properties }: NativeMessage, { message }: Reading, travel: Travel, dead?: DeadNote): Wire {
  const copy = newToken()
  const { type, priority, timestamp, contentType, appId } = properties as Options.Publish
  const id = isOurs(appId) ? (properties.correlationId as unknown) : hasGivenId(message) ? message.id : undefined
  const own = {
    ...(typeof id === 'string' && { correlationId: id }),
    ...(type !== undefined && { type }),
    ...(priority !== undefined && { priority }),
    ...(isInstant(timestamp) && { timestamp }),
  }
  return {
    content,
    copy,
    properties: {
      ...own,
      messageId: message.uid,
      appId: appIdOf(isOurs(appId) ? versionIn(appId) : message.version, { copy, ...travel }),
      ...(contentType !== undefined && { contentType }),
      headers: copiedHeaders(properties.headers ?? {}, isOurs(appId) ? undefined : policyOf(message), travel, dead),
      mandatory: true,
      persistent: true,
    },
  }
}

type Own = Omit<Options.Publish, 'headers'> & { readonly headers?: Table }

/** The same message once more, without what the broker wrote on it. */
export function unchanged({ content, properties }: NativeMessage, { copy }: Reading): Wire {
  const { headers, expiration: _, userId: __, ...rest } = properties as Own
  const own = Object.entries(headers ?? {}).filter(([name]) => !isBrokers(name))
  return {
    content,
    copy,
    properties: { ...rest, headers: Object.fromEntries(own), mandatory: true, persistent: true },
  }
}

/** Never more than amqplib can write: of a message of ours all, of another client's what finds room, its job's headers first. */
function copiedHeaders(headers: Table, policy: string | undefined, { from }: Travel, dead: DeadNote | undefined): Table {
  const { jobport: written = policy, ...others } = headers
  const ours = {
    ...(written !== undefined && { jobport: written }),
    ...(from && { 'jobport-from': JSON.stringify(from) }),
    ...(dead && {
      'jobport-reason': dead.reason,
      'jobport-dead-at': dead.at,
      'jobport-letter': dead.letter,
      'jobport-error': '',
    }),
  }
  const native = Object.entries(others).filter(([name]) => !isBrokers(name) && !MARK.test(name))
  const room = LARGEST_TABLE - sizeOf(ours)
  const jobs = fitting(native.filter(isUsers), dead ? room - LARGEST_ERROR : room)
  const error = dead && errorText(dead.error, jobs.left + LARGEST_ERROR)
  const left = error === undefined ? jobs.left : jobs.left + LARGEST_ERROR - Buffer.byteLength(error)
  const rest = fitting(
    native.filter((field) => !isUsers(field)),
    left,
  )
  return { ...ours, ...jobs.kept, ...rest.kept, ...(error !== undefined && { 'jobport-error': error }) }
}

/** Reads our messages, and those of plain AMQP producers: JSON with a type, and a message id if it is to have one. */
export function fromWire({ content, properties }: NativeMessage): Reading {
  const headers = (properties.headers ?? {}) as Record<string, unknown>
  const given = properties.messageId as unknown
  const anonymous = typeof given !== 'string' || given === ''
  const uid = anonymous ? `${ANONYMOUS}${newToken()}` : given
  const { copy = uid, ...travel } = markIn(properties.appId) ?? earlierMark(headers)
  const rest = { copy, anonymous, travel: { ...travel, ...readFrom(headers['jobport-from']) }, ...readDead(headers) }
  try {
    const written = readPolicy(properties, uid)
    const policy = written ?? {}
    const priority = written ? HIGHEST_PRIORITY - Number(properties.priority ?? HIGHEST_PRIORITY) : 0
    policy['version'] ??= ENVELOPE_VERSION
    policy['id'] ??= (isOurs(properties.appId) ? (properties.correlationId as unknown) : undefined) ?? uid
    policy['addedAt'] ??= isInstant(properties.timestamp) ? properties.timestamp * 1_000 : Date.now()
    policy['uid'] = uid
    policy['name'] ??= properties.type
    policy['data'] = JSON.parse(DECODER.decode(content))
    policy['headers'] = unescaped(headers)
    if (priority > 0) policy['priority'] = priority
    const refusal = isOurs(properties.appId) ? undefined : excess(headers)
    if (refusal !== undefined) throw new Error(refusal)
    return { message: readMessage(policy), ...rest }
  } catch (error) {
    return { ...rest, ...unread(uid, properties.type, content, error as Error) }
  }
}

/** An adequate dead letter also of what the broker itself has moved there. */
export function deadNoteOf({ dead }: Reading, { properties }: NativeMessage): DeadNote {
  if (dead) return dead
  const [death] = properties.headers?.['x-death'] ?? []
  const at = (death?.time.value ?? 0) * 1_000
  const reason = String(death?.reason ?? 'by another client')
  const error = { name: 'Error', message: `moved here by the broker: ${reason}${BY_POLICY[reason] ?? ''}` }
  return { reason: 'unknown', error, at, letter: '' }
}

/** Sorts by time, also within one millisecond of one process. */
export function newLetter(now: number): string {
  last = Math.max(now, Math.floor(last) === now ? last + 0.001 : now)
  return `${last.toFixed(3).padStart(18, '0')}-${randomBytes(6).toString('base64url')}`
}
let last = 0

/** What AMQP calls a timestamp can be later than any date, s. */
function isInstant(timestamp: unknown): timestamp is number {
  return typeof timestamp === 'number' && timestamp >= 0 && timestamp <= 8.64e12
}

function unread(uid: string, name: unknown, content: Buffer, error: Error): Pick<Reading, 'message' | 'invalid'> {
  const message = unreadable(uid, content.toString('utf8').replaceAll('\0', '\uFFFD').toWellFormed())
  const invalid = error instanceof JobportError ? error : new JobportError('INVALID_MESSAGE', `message ${uid}: ${error.message}`)
  return { message: typeof name === 'string' && name !== '' ? { ...message, name } : message, invalid: toJobError(invalid) }
}

/** As it stood in headers before it came into the `app_id`; of a message without a mark, that of a first one. */
function earlierMark(headers: Record<string, unknown>): Partial<Mark> & Travel {
  const { 'jobport-copy': copy, 'jobport-epoch': epoch, 'jobport-seen': seen } = headers
  return {
    ...(typeof copy === 'string' && { copy }),
    attempt: Math.max(1, whole(headers['jobport-attempt'], 1)),
    crashes: whole(headers['jobport-crashes'], 0),
    ...(typeof epoch === 'string' && {
      ledger: { epoch, seen: whole(seen, 0), first: headers['jobport-first'] === true },
    }),
  }
}

function readFrom(text: unknown): { from: Origin } | undefined {
  if (typeof text !== 'string') return undefined
  try {
    const { uid, letter } = JSON.parse(text) as Record<string, unknown>
    return typeof uid === 'string' && typeof letter === 'string' ? { from: { uid, letter } } : undefined
  } catch {
    return undefined
  }
}

function readDead(headers: Record<string, unknown>): { dead: DeadNote } | undefined {
  const { 'jobport-reason': reason, 'jobport-letter': letter } = headers
  if (typeof reason !== 'string' || typeof letter !== 'string') return undefined
  return {
    dead: {
      reason: reason as DeadReason,
      letter,
      at: whole(headers['jobport-dead-at'], 0),
      error: readError(headers['jobport-error']),
    },
  }
}

function readError(text: unknown): JobError {
  try {
    return toJobError(JSON.parse(String(text)) as Error)
  } catch {
    return { name: 'Error', message: String(text) }
  }
}

function whole(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : otherwise
}
