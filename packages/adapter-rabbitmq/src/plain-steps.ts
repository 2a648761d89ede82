import { setTimeout as pause } from 'node:timers/promises'
import type { Outcome } from '@jobport/core/driver'
import type { ConsumeMessage } from 'amqplib'
import { copyOf, newLetter, type Reading, type Travel } from './mapping.ts'
import type { Post } from './post.ts'
import type { Session } from './session.ts'
import type { Steps } from './leased-job.ts'

export interface InHand {
  readonly queue: string
  readonly raw: ConsumeMessage
  readonly reading: Reading
  readonly session: Session
}

/** How long a message that was given up is kept from its queue, ms: the jobs behind it get their turn. */
const GIVEN_UP = 2_000

/** Deliveries of this very message that ended unsettled. Of one that was never delivered before, its publisher may say anything. */
export function crashesOf({ properties, fields }: ConsumeMessage): number {
  if (!fields.redelivered) return 0
  const count = properties.headers?.['x-delivery-count'] as unknown
  return typeof count === 'number' ? count : properties.headers?.['x-acquired-count'] === undefined ? 1 : 0
}

/** Settles a job that only its queue knows: the copy is confirmed first, the original acknowledged after. */
export class PlainSteps implements Steps {
  readonly #hand: InHand
  readonly #post: Post

  constructor(hand: InHand, post: Post) {
    this.#hand = hand
    this.#post = post
  }

  get isHeld(): boolean {
    return this.#hand.session.isOpen
  }

  complete(): Promise<void> {
    return this.#ack()
  }

  async again({ delay, attempt }: Extract<Outcome, { type: 'again' }>): Promise<void> {
    await this.#copy({ attempt, crashes: this.#crashes() }, delay)
    await this.#ack()
  }

  /** A message that has crashed goes back as a copy, because the broker does not tell a crash from a hand-back that follows it. */
  async release(): Promise<void> {
    const { raw, session, reading } = this.#hand
    if (crashesOf(raw) === 0) return session.requeue(raw)
    await this.#copy({ attempt: reading.travel.attempt, crashes: this.#crashes() }, 0)
    await this.#ack()
  }

  async dead({ error, reason }: Extract<Outcome, { type: 'dead' }>): Promise<void> {
    const { queue, raw, reading } = this.#hand
    const at = Date.now()
    const travel = { attempt: reading.travel.attempt, crashes: this.#crashes() }
    await this.#post.bury(queue, copyOf(raw, reading, travel, { reason, error, at, letter: newLetter(at) }))
    await this.#ack()
  }

  abandon(): void {
    giveUp(this.#hand)
  }

  #crashes(): number {
    return this.#hand.reading.travel.crashes + crashesOf(this.#hand.raw)
  }

  async #copy(travel: Travel, delay: number): Promise<void> {
    const { queue, raw, reading } = this.#hand
    await this.#post.forward(queue, copyOf(raw, reading, travel), delay)
  }

  #ack(): Promise<void> {
    const { session, raw } = this.#hand
    return session.ack(raw)
  }
}

/** RabbitMQ counts it as a crash, as it does not a hand-back. Never throws. */
export function giveUp({ session, raw }: InHand): void {
  void session.setAside(raw, pause(GIVEN_UP, undefined, { ref: false }), 'reject')
}
