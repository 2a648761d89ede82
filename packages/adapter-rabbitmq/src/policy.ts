import { isOurs, versionIn } from './app-id.ts'
import type { Message } from '@jobport/core/driver'
import type { MessageProperties } from 'amqplib'

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

/** Bytes that AMQP has for a property. */
const LONGEST_TYPE = 255

/** The name as far as a property can hold it; the policy has the whole of a longer one. */
export function shortened(name: string): string {
  if (Buffer.byteLength(name) <= LONGEST_TYPE) return name
  return new TextDecoder().decode(Buffer.from(name).subarray(0, LONGEST_TYPE)).replace(/\uFFFD+$/, '')
}

/** What neither the body nor the properties of a message say, as JSON; fields that we do not know too. */
export function policyOf({ id: _, uid: __, name, data: ___, headers: ____, priority: _____, ...others }: Message): string {
  return JSON.stringify(name === shortened(name) ? others : { name, ...others })
}

/** Whether all of it is as usual: then the properties and the uid tell it as well, and no policy need be written. */
export function isUsual(message: Message): boolean {
  const { uid, name, addedAt, attempts } = message
  return (
    name === shortened(name) &&
    attempts === 1 &&
    addedAt === timeIn(uid) &&
    Object.keys(message).every((field) => USUAL.has(field))
  )
}

/** `undefined`: the message is of another client. Throws if it is no JSON. */
export function readPolicy({ headers, appId }: MessageProperties, uid: string): Record<string, unknown> | undefined {
  const written = headers?.['jobport'] as unknown
  if (typeof written === 'string') return JSON.parse(written) as Record<string, unknown>
  return isOurs(appId) ? { version: Number(versionIn(appId)), addedAt: timeIn(uid) } : undefined
}

/** Epoch ms of a UUID of version 7. */
function timeIn(uid: string): number | undefined {
  return uid.length === 36 && uid[14] === '7' ? Number.parseInt(uid.slice(0, 8) + uid.slice(9, 13), 16) : undefined
}
