import { Batch, type BatchOptions } from './batch.ts'
import { within } from './deadline.ts'
import { isJobportError, JobportError } from './errors.ts'
import { HeldAdds } from './held-adds.ts'
import { toError } from './job-error.ts'
import { checkSize, publish, receiptOf, unstored } from './publish.ts'
import type { Connection } from './connection.ts'
import type { Draft } from './draft.ts'
import type { PublishResult, ServerInfo } from './driver.ts'
import type { Receipt } from './receipt.ts'

interface Waiting {
  readonly draft: Draft
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (error: JobportError) => void
}

/** Sent together at most: the first answers should not wait for too many others. */
const BATCH = 16

/** Brings the jobs of one queue to the driver: single ones of one turn of the event loop together, all in order. */
export class Outbox {
  readonly #connection: Connection
  readonly #queue: string
  readonly #held: HeldAdds
  #waiting: Waiting[] = []
  #deadline = 0
  #end = 0
  #order = 0

  constructor(connection: Connection, queue: string) {
    this.#connection = connection
    this.#queue = queue
    this.#held = new HeldAdds(connection.held, (batch) => this.#send(batch))
  }

  /** `deadline`: ms from now. */
  add(draft: Draft, deadline: number): Promise<Receipt> {
    if (this.#waiting.length > 0 && (this.#deadline !== deadline || this.#waiting.length === BATCH)) this.#flush()
    if (this.#waiting.length === 0) {
      this.#deadline = deadline
      this.#end = performance.now() + deadline
      const batch = this.#waiting
      // once nothing else is left to do in this turn
      process.nextTick(() => batch === this.#waiting && this.#flush())
    }
    return new Promise((resolve, reject) => this.#waiting.push({ draft, resolve, reject }))
  }

  /**
   * One receipt or error per draft, in order. Comes after all that was added before. If the payload of one is too large, none is
   * sent. Never rejects.
   */
  addMany(drafts: readonly Draft[], deadline: number): Promise<(Receipt | JobportError)[]> {
    this.#flush()
    const end = performance.now() + deadline
    return new Promise((resolve) => this.#begin({ drafts, end, isWhole: true, resolve }))
  }

  #flush(): void {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    const drafts = waiting.map(({ draft }) => draft)
    const tell = (answers: (Receipt | JobportError)[]): void => {
      for (const [i, { resolve, reject }] of waiting.entries()) {
        const answer = answers[i]!
        if ('added' in answer) resolve(answer)
        else reject(answer)
      }
    }
    this.#begin({ drafts, end: this.#end, isWhole: false, resolve: tell })
  }

  #begin(options: BatchOptions): void {
    const batch = new Batch(++this.#order, options)
    if (this.#held.isHolding) this.#held.hold(batch, AWAY)
    else void this.#send(batch)
  }

  /** Resolves with `false` if the broker is away: then the batch, or what is left of it, is held. Never rejects. */
  async #send(batch: Batch): Promise<boolean> {
    try {
      const server = this.#connection.server ?? (await this.#connect(batch.end))
      const away = await this.#publish(batch, server)
      if (away) this.#held.hold(batch, away)
      return away === undefined
    } catch (thrown) {
      const error = toError(thrown)
      const away = isJobportError(error) && (error.code === 'UNAVAILABLE' || error.code === 'TIMEOUT')
      if (!away) batch.fail(isJobportError(error) ? error : new JobportError('UNAVAILABLE', error.message, { cause: error }))
      else this.#held.hold(batch, new JobportError('UNAVAILABLE', error.message, { cause: error }))
      return !away
    }
  }

  #connect(end: number): Promise<ServerInfo> {
    return within(end - performance.now(), 'connecting', this.#connection.connect())
  }

  /** Answers all jobs but those that the broker could not be reached for; resolves with the reason of these. */
  async #publish(batch: Batch, server: ServerInfo): Promise<JobportError | undefined> {
    const driver = this.#connection.made!
    for (const i of batch.missing) {
      const error = checkSize(batch.drafts[i]!, server)
      if (error && batch.isWhole) {
        batch.fail(error)
        return undefined
      }
      if (error) batch.answer(i, error)
    }
    const missing = batch.missing
    if (missing.length === 0) return undefined
    const messages = missing.map((i) => batch.drafts[i]!.message)
    const results = await publish(driver, this.#queue, messages, Math.max(1, batch.end - performance.now()))
    let away: JobportError | undefined
    for (const [k, i] of missing.entries()) {
      const result = results[k]!
      if (isAway(result)) away ??= unstored(messages[k]!, result.error)
      else batch.answer(i, receiptOf(messages[k]!, result))
    }
    return away
  }
}

const AWAY = new JobportError('UNAVAILABLE', 'the broker cannot be reached')

function isAway(result: PublishResult): result is PublishResult & { status: 'rejected' } {
  return result.status === 'rejected' && result.error.code === 'UNAVAILABLE'
}
