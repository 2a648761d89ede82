import { JobportError } from '@jobport/core/driver'
import { toJobportError } from './faults.ts'
import type { ConfirmChannel, Options } from 'amqplib'
import type { Link } from './link.ts'
import type { Route } from './topology.ts'

/** A message as it goes to the broker. */
export interface Wire {
  readonly content: Buffer
  readonly properties: Options.Publish
  /** Names this physical message. */
  readonly copy: string
}

/** What became of a message. */
export type Sent =
  | { readonly status: 'stored' }
  /** No queue took it; there is none where it was sent. */
  | { readonly status: 'returned' }
  | { readonly status: 'rejected' | 'unknown'; readonly error: JobportError }

/** Publishes on one channel: always with confirmation, always mandatory. Every call settles, also when the channel dies. */
export class Publisher {
  readonly #link: Link
  readonly #returned = new Set<string>()
  #channel: ConfirmChannel | undefined
  #opening: Promise<ConfirmChannel> | undefined

  constructor(link: Link) {
    this.#link = link
  }

  /** Never rejects. Once `signal` fires it resolves with `unknown`. */
  async send({ exchange, key }: Route, { content, properties, copy }: Wire, signal?: AbortSignal): Promise<Sent> {
    const { blocked } = this.#link
    if (blocked !== undefined) return rejected(new JobportError('UNAVAILABLE', `the broker takes no messages: ${blocked}`))
    let channel: ConfirmChannel
    try {
      channel = this.#channel ?? (await this.#open())
      signal?.throwIfAborted()
    } catch (error) {
      return rejected(toJobportError(error, 'publishing'))
    }
    return new Promise<Sent>((resolve) => {
      const late = (): void => resolve({ status: 'unknown', error: toJobportError(signal!.reason, 'publishing') })
      const confirmed = (error: Error | null): void => {
        signal?.removeEventListener('abort', late)
        const returned = this.#returned.delete(copy)
        if (!error) resolve({ status: returned ? 'returned' : 'stored' })
        else if (this.#channel === channel)
          resolve(rejected(new JobportError('REJECTED', 'the broker refused the message', { cause: error })))
        else
          resolve({
            status: 'unknown',
            error: new JobportError('UNAVAILABLE', 'the connection was lost before the confirmation', { cause: error }),
          })
      }
      signal?.addEventListener('abort', late)
      try {
        channel.publish(exchange, key, content, { ...properties, mandatory: true, persistent: true }, confirmed)
      } catch (error) {
        signal?.removeEventListener('abort', late)
        const { name } = error as Error
        const code = name === 'IllegalOperationError' ? 'UNAVAILABLE' : 'REJECTED'
        resolve(rejected(new JobportError(code, `publishing: ${(error as Error).message}`, { cause: error })))
      }
    })
  }

  #open(): Promise<ConfirmChannel> {
    this.#opening ??= this.#link
      .confirmChannel()
      .then((channel) => {
        // before amqplib tells the pending confirmations
        channel.prependListener('close', () => {
          if (this.#channel === channel) this.#channel = undefined
        })
        channel.on('return', ({ properties }) => this.#returned.add(String(properties.headers?.['jobport-copy'])))
        this.#channel = channel
        return channel
      })
      .finally(() => (this.#opening = undefined))
    return this.#opening
  }
}

function rejected(error: JobportError): Sent {
  return { status: 'rejected', error }
}
