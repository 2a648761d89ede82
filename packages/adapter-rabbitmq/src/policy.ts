import type { Message } from '@jobport/core/driver'
import type { MessageProperties } from 'amqplib'

/** An `app_id` of ours; the envelope's version follows. */
const APP = 'jobport/'

const USUAL: ReadonlySet<string> = new Set([
  'version',
  'id',
  'uid',
  'name',
  'data',
  'headers',
  'addedAt',
  'attempts',
  'priority',
] satisfies (keyof Message)[])

export function appOf({ version }: Message): string {
  return `${APP}${version}`
}

/** What neither the body nor the properties of a message say, as JSON; fields that we do not know too. */
export function policyOf({ id, uid, name: _, data: __, headers: ___, priority: ____, ...others }: Message): string {
  return JSON.stringify({ ...(id !== uid && { id }), ...others })
}

/**
 * Whether all of it is as usual: then the `app_id` and the uid tell it as well, and no policy need be written. A table of
 * headers costs client and broker more than all the rest of a small message.
 */
export function isUsual(message: Message): boolean {
  const { id, uid, addedAt, attempts } = message
  return id === uid && attempts === 1 && addedAt === timeIn(uid) && Object.keys(message).every((field) => USUAL.has(field))
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
