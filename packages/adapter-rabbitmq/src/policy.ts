import type { Message } from '@jobport/core/driver'
import type { MessageProperties } from 'amqplib'

/** An `app_id` of ours; the envelope's version follows. */
const APP = 'jobport/'

export function appOf({ version }: Message): string {
  return `${APP}${version}`
}

/** What neither the body nor the properties of a message say, as JSON. */
export function policyOf({ version, id, uid, addedAt, attempts, backoff, timeout, delay, dedup }: Message): string {
  return JSON.stringify({ version, id: id === uid ? undefined : id, addedAt, attempts, backoff, timeout, delay, dedup })
}

/**
 * Whether all of it is as usual: then the `app_id` and the uid tell it as well, and no policy need be written. A table of
 * headers costs client and broker more than all the rest of a small message.
 */
export function isUsual({ id, uid, addedAt, attempts, backoff, timeout, delay, dedup }: Message): boolean {
  const isPlain = id === uid && attempts === 1 && !backoff && timeout === undefined && delay === undefined && !dedup
  return isPlain && addedAt === timeIn(uid)
}

/** `undefined`: the message is of another client. Throws if it is no JSON. */
export function readPolicy({ headers, appId }: MessageProperties, uid: string): Record<string, unknown> | undefined {
  const written = headers?.['jobport'] as unknown
  if (typeof written === 'string') return JSON.parse(written) as Record<string, unknown>
  return isOurs(appId) ? { version: Number(appId.slice(APP.length)), addedAt: timeIn(uid) } : undefined
}

/** Whether there is a policy of ours although none is written. */
export function isOurs(appId: unknown): appId is string {
  return typeof appId === 'string' && appId.startsWith(APP)
}

/** Epoch ms of a UUID of version 7. */
function timeIn(uid: string): number | undefined {
  return uid.length === 36 && uid[14] === '7' ? Number.parseInt(uid.slice(0, 8) + uid.slice(9, 13), 16) : undefined
}
