import type { JobportError } from '@jobport/core/driver'
import type { Answer, Entry } from './entries.ts'
import type { Item } from './outbox.ts'

export interface PendingOptions<T> {
  readonly payload?: Buffer
  /** Called within the fold that decides. */
  readonly folded?: () => void
  /** What the entry's writer is told; `age`: ms since the entry was sent. */
  readonly told: (answer: Answer, age: number) => T
  /** Called once it is answered or has failed. */
  readonly over: (item: Item) => void
}

/** An entry whose answer is waited for. */
export class Pending<T> implements Item {
  readonly entry: Entry
  readonly payload: Buffer | undefined
  readonly size: number
  readonly answer: Promise<T>
  done = false
  readonly #options: PendingOptions<T>
  #resolve!: (value: T) => void
  #reject!: (error: JobportError) => void

  constructor(entry: Entry, options: PendingOptions<T>) {
    this.entry = entry
    this.payload = options.payload
    this.size = 100 + lengthOf(entry)
    this.#options = options
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  settle(answer: Answer, at: number): void {
    const { folded, told } = this.#options
    this.#end()
    folded?.()
    this.#resolve(told(answer, Date.now() - at))
  }

  fail(error: JobportError): void {
    this.#end()
    this.#reject(error)
  }

  #end(): void {
    this.done = true
    this.#options.over(this)
  }
}

/** Characters of what can be long in it. */
function lengthOf(entry: Entry): number {
  if (entry.type === 'claim') return entry.body?.length ?? 0
  if (entry.type !== 'dead') return 0
  const { message, stack = '' } = entry.error
  return message.length + stack.length
}
