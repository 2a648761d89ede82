import { JobportError, type DeadReason, type JobError, type Outcome } from '@jobport/core/driver'
import { copyOf, newLetter, type DeadNote } from './mapping.ts'
import type { LedgerApi } from './ledger/api.ts'
import type { Life } from './ledger/records.ts'
import type { Steps } from './leased-job.ts'
import { giveUp, type InHand } from './plain-steps.ts'
import type { Post } from './post.ts'

/** How long a message that somebody else's run owns is kept from its queue, ms. */
const HOLD = 10_000

/**
 * Settles a job of the ledger: the entry decides, then its message moves. Every step can be repeated: it finds what it
 * did before in the ledger.
 */
export class LedgerSteps implements Steps {
  readonly #hand: InHand
  readonly #post: Post
  readonly #ledger: LedgerApi
  readonly #life: Life
  readonly #run: string
  /** The copy for the next run, once confirmed. */
  #next: { readonly copy: string; readonly at: number } | undefined
  #letter: DeadNote | undefined
  #isBuried = false

  constructor(hand: InHand, post: Post, ledger: LedgerApi, run: string, life: Life) {
    this.#hand = hand
    this.#post = post
    this.#ledger = ledger
    this.#run = run
    this.#life = life
  }

  get isHeld(): boolean {
    return this.#hand.session.isOpen
  }

  async complete(): Promise<void> {
    const { uid } = this.#life
    const { status } = await this.#ledger.append({ type: 'end', uid, run: this.#run })
    if (status !== 'ok' && !this.#isEnded()) throw this.#leaseLost()
    this.#ack()
  }

  async again({ delay, attempt }: Extract<Outcome, { type: 'again' }>): Promise<void> {
    const { uid } = this.#life
    const { copy, at } = await this.#publishNext(attempt, delay)
    const dueAt = at + Math.ceil(delay)
    const { status } = await this.#ledger.append({
      type: 'again',
      uid,
      run: this.#run,
      copy,
      attempt,
      ...(delay > 0 && { dueAt }),
    })
    if (status === 'burned') {
      this.#next = undefined
      return this.again({ type: 'again', delay: Math.max(0, dueAt - Date.now()), attempt })
    }
    const fate = this.#ledger.state.fate(uid)
    if (status !== 'ok' && !(fate?.kind === 'live' && fate.copy === copy)) throw this.#leaseLost()
    this.#ack()
  }

  async release(): Promise<void> {
    const { uid } = this.#life
    const { status } = await this.#ledger.append({ type: 'release', uid, run: this.#run })
    const fate = this.#ledger.state.fate(uid)
    if (status !== 'ok' && !(fate?.kind === 'live' && fate.run === undefined)) throw this.#leaseLost()
    await this.#hand.session.requeue(this.#hand.raw)
  }

  async dead({ error, reason }: Extract<Outcome, { type: 'dead' }>): Promise<void> {
    const { uid } = this.#life
    const { status } = await this.#ledger.append({ type: 'dead', uid, run: this.#run, reason, error })
    const fate = this.#ledger.state.fate(uid)
    if (status !== 'ok' && !(fate?.kind === 'dead' && fate.run === this.#run)) throw this.#leaseLost()
    const { at, letter } = (this.#letter ??= newNote(reason, error))
    this.#letter = { reason, error, at, letter }
    await this.#bury(this.#letter)
    this.#ack()
  }

  abandon(): void {
    giveUp(this.#hand)
  }

  /** Keeps the message until nobody runs the job, then hands it back. */
  holdBack(): void {
    handBackLater(this.#hand, this.#ledger)
  }

  #isEnded(): boolean {
    const fate = this.#ledger.state.fate(this.#life.uid)
    return fate?.kind === 'finished' && fate.run === this.#run
  }

  async #bury(dead: DeadNote): Promise<void> {
    const { queue, raw, reading } = this.#hand
    const { attempt } = reading.travel
    const { uid, crashes } = this.#life
    const travel = { attempt, crashes, ledger: { epoch: this.#ledger.epoch, seen: this.#ledger.seen, first: false } }
    if (!this.#isBuried) await this.#post.bury(queue, copyOf(raw, reading, travel, dead))
    this.#isBuried = true
    await this.#ledger.append({ type: 'buried', uid, letter: dead.letter })
  }

  async #publishNext(attempt: number, delay: number): Promise<{ copy: string; at: number }> {
    const { queue, raw, reading } = this.#hand
    const ledger = { epoch: this.#ledger.epoch, seen: this.#ledger.seen, first: false }
    if (!this.#next) {
      const next = copyOf(raw, reading, { attempt, crashes: this.#life.crashes, ledger })
      await this.#post.forward(queue, next, delay)
      this.#next = { copy: next.copy, at: Date.now() }
    }
    return this.#next
  }

  /** Not waited for: the ledger has said that the run is over, and a message that comes again is dropped. */
  #ack(): void {
    const { session, raw } = this.#hand
    void session.ack(raw).catch(() => {})
  }

  #leaseLost(): JobportError {
    const { id } = this.#life
    this.holdBack()
    return new JobportError('LEASE_LOST', `job ${id} is no longer held`, { id })
  }
}

/** Handing it back at once would bring it back at once. */
export function handBackLater({ session, raw, reading }: InHand, ledger: LedgerApi): void {
  void session.setAside(raw, ledger.left(reading.message.uid, HOLD), 'requeue')
}

function newNote(reason: DeadReason, error: JobError): DeadNote {
  const at = Date.now()
  return { reason, error, at, letter: newLetter(at) }
}
