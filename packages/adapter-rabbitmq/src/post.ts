import { JobportError } from '@jobport/core/driver'
import { leftOf, type Address } from './delay-steps.ts'
import { isMissing } from './faults.ts'
import type { Sent } from './outlet.ts'
import type { Publisher } from './publisher.ts'
import type { Topology } from './topology.ts'
import type { Wire } from './wire.ts'

/** A queue can vanish, and is then declared anew. */
const TRIES = 3
const COPY_DEADLINE = 10_000

/** What became of a message that was brought to where there is a queue. */
type Stored = Exclude<Sent, { readonly status: 'returned' }>

/** Brings messages to where they belong, declaring it where it is missing. */
export class Post {
  readonly #publisher: Publisher
  readonly #topology: Topology
  /** By queue: the last message that is sent once more. */
  readonly #again = new Map<string, Promise<unknown>>()

  constructor(publisher: Publisher, topology: Topology) {
    this.#publisher = publisher
    this.#topology = topology
  }

  /** Into the work queue after `delay` ms, counted from this call. Never rejects. */
  async send(queue: string, wire: Wire, delay: number, signal?: AbortSignal): Promise<Stored> {
    const since = Date.now()
    for (let tries = 1; ; tries++) {
      const sending = (): Promise<Sent> => this.#send(queue, wire, { delay, since }, signal)
      const sent = await (tries === 1 ? sending() : this.#inTurn(queue, sending))
      // an exchange may have gone as well: the broker then closes the channel
      if (sent.status !== 'added') this.#topology.forget(queue)
      if (sent.status !== 'returned') return sent
      if (tries === TRIES)
        return { status: 'rejected', error: new JobportError('REJECTED', `${queue}: the broker has no queue for it`) }
    }
  }

  /** The same for several without a delay, in order. */
  async sendAll(queue: string, wires: readonly Wire[], signal?: AbortSignal): Promise<Stored[]> {
    const direct = this.#topology.direct(queue)
    if (!direct) return Promise.all(wires.map((wire) => this.send(queue, wire, 0, signal)))
    const all = await this.#publisher.sendAll(direct, wires, signal)
    if (all.every(isAdded)) return all
    this.#topology.forget(queue)
    return Promise.all(all.map((sent, i) => (isFinal(sent) ? Promise.resolve(sent) : this.send(queue, wires[i]!, 0, signal))))
  }

  /** The same for a copy of a job in hand; `delay` counts from when it is stored. Rejects if it may not be. */
  async forward(queue: string, wire: Wire, delay: number): Promise<void> {
    const sent = await this.#send(queue, wire, { delay }, AbortSignal.timeout(COPY_DEADLINE))
    if (sent.status !== 'added') this.#topology.forget(queue)
    confirmed(sent)
  }

  /** Returns how long a message of `queue` has yet to wait, ms: above 0 if it left the chain of delays too early. */
  left(queue: string, address: Address): number {
    // most messages never were in the chain
    return address.exchange === '' ? 0 : leftOf(address, this.#topology.names(queue).delays)
  }

  /** Back into the chain of delays, which is declared again: a step of it was missing. Rejects if it may not be stored. */
  async postpone(queue: string, wire: Wire, delay: number): Promise<void> {
    this.#topology.forget(queue)
    await this.forward(queue, wire, delay)
  }

  /** Into the dead letters. Rejects if it may not be stored. */
  async bury(queue: string, wire: Wire): Promise<void> {
    const { failed } = this.#topology.names(queue)
    await this.#topology.ensure(queue)
    const sent = await this.#publisher.send({ exchange: '', key: failed }, wire, AbortSignal.timeout(COPY_DEADLINE))
    if (sent.status === 'returned') this.#topology.forget(queue)
    confirmed(sent)
  }

  /** What came back is sent again in the order of its calls. */
  #inTurn(queue: string, sending: () => Promise<Sent>): Promise<Sent> {
    const turn = (this.#again.get(queue) ?? Promise.resolve()).then(sending)
    this.#again.set(queue, turn)
    void turn.then(() => {
      if (this.#again.get(queue) === turn) this.#again.delete(queue)
    })
    return turn
  }

  /** Never rejects. */
  #send(queue: string, wire: Wire, { delay, since }: { delay: number; since?: number }, signal?: AbortSignal): Promise<Sent> {
    const direct = delay > 0 ? undefined : this.#topology.direct(queue)
    if (direct) return this.#publisher.send(direct, wire, signal)
    return this.#topology.route(queue, delay, since).then((route) => this.#publisher.send(route, wire, signal), unrouted)
  }
}

function unrouted(error: JobportError): Sent {
  const { cause } = error
  return isMissing(cause) ? { status: 'returned' } : { status: 'rejected', error }
}

function confirmed(sent: Sent): void {
  if (sent.status === 'added') return
  throw sent.status === 'returned' ? new JobportError('UNAVAILABLE', 'the queue has gone') : sent.error
}

function isAdded(sent: Sent): sent is Extract<Sent, { readonly status: 'added' }> {
  return sent.status === 'added'
}

function isFinal(sent: Sent): sent is Stored {
  return sent.status !== 'returned'
}
