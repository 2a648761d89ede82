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
export function copyIn({ headers, messageId }: { readonly headers?: unknown; readonly messageId?: unknown }): string | undefined {
  const mark = (headers as Record<string, unknown> | undefined)?.['jobport-copy']
  if (typeof mark === 'string') return mark
  return typeof messageId === 'string' && messageId !== '' ? messageId : undefined
}
