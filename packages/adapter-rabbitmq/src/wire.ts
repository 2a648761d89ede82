import { markIn } from './app-id.ts'
import type { Options } from 'amqplib'

/** A message as it goes to the broker. */
export interface Wire {
  readonly content: Buffer
  /** Mandatory and persistent for whatever must not be lost. */
  readonly properties: Options.Publish
  /** Names this physical message. */
  readonly copy: string
}

/** What {@link Wire.copy} was. */
export function copyIn({ appId, messageId }: { readonly appId?: unknown; readonly messageId?: unknown }): string | undefined {
  const mark = markIn(appId)
  if (mark) return mark.copy
  return typeof messageId === 'string' && messageId !== '' ? messageId : undefined
}
