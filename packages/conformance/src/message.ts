import { randomBytes } from 'node:crypto'
import type { Message } from '@jobport/core/driver'

/** A message as core would make it, for cases below core. */
export function messageOf(over: Partial<Message> = {}): Message {
  const uid = over.uid ?? `u-${randomBytes(8).toString('hex')}`
  return { version: 1, id: uid, uid, name: 'job', data: null, headers: {}, addedAt: Date.now(), attempts: 1, ...over }
}
