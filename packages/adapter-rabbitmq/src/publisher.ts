import { JobportError } from '@jobport/core/driver'
import { toJobportError } from './faults.ts'
import { onAbort } from './on-abort.ts'
import { copyIn, type Wire } from './wire.ts'
import type { ConfirmChannel } from 'amqplib'
import type { Link } from './link.ts'
import type { Route } from './topology.ts'

/** What became of a message. */
export type Sent =
  | { readonly status: 'stored' }
  /** No queue took it; there is none where it was sent. */
  | { readonly status: 'returned' }
  | { readonly status: 'rejected' | 'unknown'; readonly error: JobportError }

const STORED: Sent = { status: 'stored' }
const RETURNED: Sent = { status: 'returned' }

/** Publishes on one channel: always with confirmation. Every call settles, also when the channel dies. */
export class Publisher {
  readonly #link: Link
  readonly #returned = new Set<string>()
  #channel: ConfirmChannel | undefined
  #opening: Promise<ConfirmChannel> | undefined

  constructor(link: Link) {
    this.#link = link
  }

  /** Never rejects. Once `signal` fires it resolves with `unknown`. */
  send(route: Route, wire: Wire, signal?: AbortSignal): Promise<Sent> {
    const { blocked } = this.#link
    if (blocked !== undefined)
      return Promise.resolve(rejected(new JobportError('UNAVAILABLE', `the broker takes no messages: ${blocked}`)))
    if (this.#channel) return this.#publish(this.#channel, route, wire, signal)
    return this.#open().then(
      (channel) => this.#publish(channel, route, wire, signal),
      (error: unknown) => rejected(toJobportError(error, 'publishing')),
    )
  }

  #publish(
    channel: ConfirmChannel,
    { exchange, key }: Route,
    { content, properties, copy }: Wire,
    signal: AbortSignal | undefined,
  ): Promise<Sent> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve(rejected(toJobportError(signal.reason, 'publishing')))
      const heard =
        signal && onAbort(signal, () => resolve({ status: 'unknown', error: toJobportError(signal.reason, 'publishing') }))
      const confirmed = (error: Error | null): void => {
        heard?.()
        const returned = this.#returned.delete(copy)
        if (!error) resolve(returned ? RETURNED : STORED)
        else if (this.#channel === channel)
          resolve(rejected(new JobportError('REJECTED', 'the broker refused the message', { cause: error })))
        else
          resolve({
            status: 'unknown',
            error: new JobportError('UNAVAILABLE', 'the connection was lost before the confirmation', { cause: error }),
          })
      }
      try {
        channel.publish(exchange, key, content, properties, confirmed)
      } catch (error) {
        heard?.()
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
        channel.on('return', ({ properties }) => this.#returned.add(copyIn(properties) ?? ''))
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
