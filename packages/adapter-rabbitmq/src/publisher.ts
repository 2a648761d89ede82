import { JobportError } from '@jobport/core/driver'
import { toJobportError } from './faults.ts'
import { onAbort } from './on-abort.ts'
import { copyIn, type Wire } from './wire.ts'
import type { ConfirmChannel } from 'amqplib'
import type { Link } from './link.ts'
import type { Route } from './topology.ts'

/** What became of a message. */
export type Sent =
  | { readonly status: 'added' }
  /** No queue took it; there is none where it was sent. */
  | { readonly status: 'returned' }
  | { readonly status: 'rejected' | 'unknown'; readonly error: JobportError }

const ADDED: Sent = { status: 'added' }
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
    return this.sendAll(route, [wire], signal).then(([sent]) => sent!)
  }

  /** The same for several, in order. */
  sendAll(route: Route, wires: readonly Wire[], signal?: AbortSignal): Promise<Sent[]> {
    const { blocked } = this.#link
    const refused = (error: JobportError): Sent[] => wires.map(() => rejected(error))
    if (blocked !== undefined)
      return Promise.resolve(refused(new JobportError('UNAVAILABLE', `the broker takes no messages: ${blocked}`)))
    if (this.#channel) return this.#publish(this.#channel, route, wires, signal)
    return this.#open().then(
      (channel) => this.#publish(channel, route, wires, signal),
      (error: unknown) => refused(toJobportError(error, 'publishing')),
    )
  }

  #publish(
    channel: ConfirmChannel,
    { exchange, key }: Route,
    wires: readonly Wire[],
    signal: AbortSignal | undefined,
  ): Promise<Sent[]> {
    const late = (): JobportError => toJobportError(signal!.reason, 'publishing')
    if (signal?.aborted) return Promise.resolve(wires.map(() => rejected(late())))
    return new Promise((resolve) => {
      const all: (Sent | undefined)[] = wires.map(() => undefined)
      let left = wires.length
      const told = (i: number, sent: Sent): void => {
        if (all[i]) return
        all[i] = sent
        if (--left > 0) return
        heard?.()
        resolve(all as Sent[])
      }
      const heard = signal && onAbort(signal, () => all.forEach((_, i) => told(i, { status: 'unknown', error: late() })))
      for (let i = 0; i < wires.length; i++) {
        const { content, properties, copy } = wires[i]!
        try {
          channel.publish(exchange, key, content, properties, (error: Error | null) =>
            told(i, this.#outcome(channel, copy, error)),
          )
        } catch (error) {
          told(i, unsent(error as Error))
        }
      }
    })
  }

  /** What a confirmation says. */
  #outcome(channel: ConfirmChannel, copy: string, error: Error | null): Sent {
    const returned = this.#returned.delete(copy)
    if (!error) return returned ? RETURNED : ADDED
    if (this.#channel === channel)
      return rejected(new JobportError('REJECTED', 'the broker refused the message', { cause: error }))
    return {
      status: 'unknown',
      error: new JobportError('UNAVAILABLE', 'the connection was lost before the confirmation', { cause: error }),
    }
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

function unsent(error: Error): Sent {
  const code = error.name === 'IllegalOperationError' ? 'UNAVAILABLE' : 'REJECTED'
  return rejected(new JobportError(code, `publishing: ${error.message}`, { cause: error }))
}
