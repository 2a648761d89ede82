import { JobportError } from '@jobport/core/driver'
import { load } from './snapshot.ts'
import { State } from './state.ts'
import type { LogRecord } from './session.ts'

/** Nothing to start from where the reading began; the log may hold something elsewhere. */
export class NoBase extends Error {
  override readonly name: string = 'NoBase'
}

/** The same, for all that can be told so far. */
export class Silence extends NoBase {
  override readonly name = 'Silence'
}

/** Reads a log from somewhere until there is a state to fold on from: that of a complete snapshot, or none at offset 0. */
export class Loader {
  readonly #barrier: string
  readonly #exact: number | undefined
  #records: LogRecord[] = []
  readonly #parts = new Map<number, Buffer[]>()
  readonly #base = Promise.withResolvers<{ of: number; parts?: Buffer[] }>()
  #found = false

  /** `barrier`: the writer whose message says that everything older was read. `exact`: the first message must have that offset. */
  constructor(barrier: string, exact?: number) {
    this.#barrier = barrier
    this.#exact = exact
    this.#base.promise.catch(() => undefined)
  }

  push(record: LogRecord): void {
    this.#records.push(record)
    if (!this.#found) this.#search(record)
  }

  /** Resolves with the state and the offset at which it was true. Rejects with {@link NoBase}, or `INVALID_MESSAGE`. */
  async state(): Promise<{ state: State; offset: number }> {
    const { of, parts } = await this.#base.promise
    return { state: parts ? await load(parts) : new State(), offset: of }
  }

  /** What was read after `offset`. */
  after(offset: number): readonly LogRecord[] {
    return this.#records.filter((record) => record.offset > offset)
  }

  fail(error: Error): void {
    this.#base.reject(error)
  }

  #search(record: LogRecord): void {
    const { offset, batch } = record
    const first = this.#records.length === 1
    if (first && this.#exact !== undefined && offset !== this.#exact)
      return this.fail(new NoBase(`the ledger begins after ${this.#exact}`))
    if (first && offset === 0) return this.#find({ of: -1 })
    this.#collect(record)
    if (batch?.writer === this.#barrier && this.#parts.size === 0) {
      this.fail(new NoBase('the ledger has lost its beginning and holds no snapshot'))
    }
  }

  #collect({ batch, payload }: LogRecord): void {
    const [part] = batch?.entries ?? []
    if (part?.type !== 'part' || !payload || !this.#begun(part.of, batch!.writer)) return
    const parts = this.#parts.get(part.of) ?? []
    if (part.index === parts.length) parts.push(payload)
    this.#parts.set(part.of, parts)
    if (part.last && part.index === parts.length - 1) this.#find({ of: part.of, parts })
  }

  /** The snapshot's first message was read, too. */
  #begun(of: number, writer: string): boolean {
    const begin = this.#records.find(({ offset }) => offset === of)?.batch
    return begin?.writer === writer && begin.entries[0]?.type === 'begin'
  }

  #find(base: { of: number; parts?: Buffer[] }): void {
    this.#found = true
    this.#records = this.#records.filter(({ offset }) => offset > base.of)
    this.#base.resolve(base)
  }
}

export function unfounded(stream: string, cause: Error): JobportError {
  return new JobportError('SERVER_UNSUITABLE', `ledger ${stream}: ${cause.message}`, { cause })
}
