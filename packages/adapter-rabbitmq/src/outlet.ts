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
const NOT_FOUND = 404

/** What was published on one channel, by number, as far as it matters should an exchange be missing. */
class Course {
  /** From this number on nothing was stored. */
  lostFrom: number = Infinity
  #count = 0
  readonly #named = new Map<number, string>()

  enter(exchange: string): number {
    const number = ++this.#count
    if (exchange !== '') this.#named.set(number, exchange)
    return number
  }

  leave(number: number): void {
    this.#named.delete(number)
  }

  /** The broker closes the channel at the first message for an exchange that is not there, and reads none of those behind it. */
  fail({ code, message }: { readonly code?: number; readonly message: string }): void {
    const [, missing] = /no exchange '(.*?)' in vhost/.exec(message) ?? []
    if (code !== NOT_FOUND || missing === undefined) return
    for (const [number, exchange] of this.#named) if (exchange === missing) this.lostFrom = Math.min(this.lostFrom, number)
  }
}

/** One channel for publishing. Every call settles, also when the channel dies. */
export class Outlet {
  readonly #link: Link
  readonly #returned = new Set<string>()
  readonly #courses = new WeakMap<ConfirmChannel, Course>()
  #channel: ConfirmChannel | undefined
  #opening: Promise<ConfirmChannel> | undefined

  constructor(link: Link) {
    this.#link = link
  }

  /** Never rejects. Once `signal` fires it resolves with `unknown`. */
  send(route: Route, wire: Wire, signal?: AbortSignal): Promise<Sent> {
    const channel = this.#open()
    if (channel instanceof Promise) return channel.then(() => this.send(route, wire, signal), unopened)
    const refusal = this.#refusal(signal)
    if (refusal) return Promise.resolve(refusal)
    return new Promise((resolve) => {
      const heard = signal && onAbort(signal, () => resolve(late(signal)))
      this.#publish(channel, route, wire, (sent) => {
        heard?.()
        resolve(sent)
      })
    })
  }

  /** The same for several, in order. */
  sendAll(route: Route, wires: readonly Wire[], signal?: AbortSignal): Promise<Sent[]> {
    const channel = this.#open()
    if (channel instanceof Promise)
      return channel.then(
        () => this.sendAll(route, wires, signal),
        (error: unknown) => wires.map(() => unopened(error)),
      )
    const refusal = this.#refusal(signal)
    if (refusal) return Promise.resolve(wires.map(() => refusal))
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
      const heard = signal && onAbort(signal, () => all.forEach((_, i) => told(i, late(signal))))
      wires.forEach((wire, i) => this.#publish(channel, route, wire, (sent) => told(i, sent)))
    })
  }

  #refusal(signal: AbortSignal | undefined): Sent | undefined {
    const { blocked } = this.#link
    if (blocked !== undefined) return rejected(new JobportError('UNAVAILABLE', `the broker takes no messages: ${blocked}`))
    return signal?.aborted ? rejected(toJobportError(signal.reason, 'publishing')) : undefined
  }

  #publish(channel: ConfirmChannel, { exchange, key }: Route, wire: Wire, told: (sent: Sent) => void): void {
    const { content, properties, copy } = wire
    const course = this.#courses.get(channel)!
    const number = course.enter(exchange)
    const confirmed = (error: Error | null): void => {
      course.leave(number)
      told(error && number >= course.lostFrom ? RETURNED : this.#outcome(channel, copy, error))
    }
    try {
      channel.publish(exchange, key, content, properties, confirmed)
    } catch (error) {
      course.leave(number)
      told(unsent(error as Error))
    }
  }

  /** What a confirmation says. */
  #outcome(channel: ConfirmChannel, copy: string, error: Error | null): Sent {
    // what came back is stored nowhere, though the channel may have ended before the confirmation
    if (this.#returned.delete(copy)) return RETURNED
    if (!error) return ADDED
    if (this.#channel === channel)
      return rejected(new JobportError('REJECTED', 'the broker refused the message', { cause: error }))
    return {
      status: 'unknown',
      error: new JobportError('UNAVAILABLE', 'the connection was lost before the confirmation', { cause: error }),
    }
  }

  #open(): ConfirmChannel | Promise<ConfirmChannel> {
    if (this.#channel) return this.#channel
    this.#opening ??= this.#link
      .confirmChannel()
      .then((channel) => {
        // before amqplib tells the pending confirmations
        channel.prependListener('close', () => {
          if (this.#channel === channel) this.#channel = undefined
        })
        const course = new Course()
        this.#courses.set(channel, course)
        channel.prependListener('error', (error: Error) => course.fail(error))
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

function unopened(error: unknown): Sent {
  return rejected(toJobportError(error, 'publishing'))
}

function late({ reason }: AbortSignal): Sent {
  return { status: 'unknown', error: toJobportError(reason, 'publishing') }
}

function unsent(error: Error): Sent {
  const code = error.name === 'IllegalOperationError' ? 'UNAVAILABLE' : 'REJECTED'
  return rejected(new JobportError(code, `publishing: ${error.message}`, { cause: error }))
}
