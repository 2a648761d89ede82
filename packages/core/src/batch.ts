import type { Draft } from './draft.ts'
import type { JobportError } from './errors.ts'
import type { Receipt } from './receipt.ts'

type Answer = Receipt | JobportError

export interface BatchOptions {
  readonly drafts: readonly Draft[]
  readonly end: number
  readonly isWhole: boolean
  /** Gets one answer a job, in order, once there are all. */
  readonly resolve: (answers: Answer[]) => void
}

/** Jobs that go to the broker together, and what became of each. */
export class Batch {
  /** By which it stands before what was added later. */
  readonly order: number
  readonly drafts: readonly Draft[]
  /** Its deadline, ms of `performance.now`. */
  readonly end: number
  /** One bad job refuses them all. */
  readonly isWhole: boolean
  readonly #answers: (Answer | undefined)[]
  readonly #resolve: (answers: Answer[]) => void
  #missing: number
  #onEnd: (() => void) | undefined

  constructor(order: number, { drafts, end, isWhole, resolve }: BatchOptions) {
    this.order = order
    this.drafts = drafts
    this.end = end
    this.isWhole = isWhole
    this.#answers = drafts.map(() => undefined)
    this.#missing = drafts.length
    this.#resolve = resolve
  }

  get size(): number {
    return this.drafts.length
  }

  /** Whether it has waited for the broker. */
  get isHeld(): boolean {
    return this.#onEnd !== undefined
  }

  /** The jobs without an answer, by index. */
  get missing(): number[] {
    return [...this.#answers.keys()].filter((i) => this.#answers[i] === undefined)
  }

  answer(index: number, answer: Answer): void {
    this.#answers[index] = answer
    this.#missing--
    if (this.#missing > 0) return
    this.#onEnd?.()
    this.#resolve(this.#answers as Answer[])
  }

  /** One error for all that have no answer. */
  fail(error: JobportError): void {
    for (const index of this.missing) this.answer(index, error)
  }

  /** Called before it resolves. */
  onEnd(listener: () => void): void {
    this.#onEnd = listener
  }
}
