import { fold } from '../src/ledger/fold.ts'
import { capture, cut, load } from '../src/ledger/snapshot.ts'
import { State } from '../src/ledger/state.ts'
import { RULES, type Answer, type Batch, type Entry } from '../src/ledger/entries.ts'
import type { LogRecord } from '../src/ledger/session.ts'

export const EPOCH = 'epoch'

type Folding = ReturnType<typeof fold>

/** A log without a broker: what is written gets the next offset and is folded at once. */
export class Log {
  state: State = new State()
  readonly records: { offset: number; batch: Batch; payload?: Buffer; folding: Folding }[] = []
  at = 1_000_000
  readonly #seqs = new Map<string, number>()

  constructor({ memory = 1_000 }: { memory?: number } = {}) {
    this.write([{ type: 'open', epoch: EPOCH, memory }], { epoch: '', writer: 'founder' })
  }

  /** As one message of `writer`, with all read so far unless `seen` says otherwise. */
  write(entries: readonly Entry[], { writer = 'w', payload, ...given }: Partial<Batch> & { payload?: Buffer } = {}): Folding {
    const seq = (this.#seqs.get(writer) ?? 0) + 1
    this.#seqs.set(writer, seq)
    const { count: seen, snapshot } = this.state.head
    return this.repeat({ rules: RULES, epoch: EPOCH, writer, seq, seen, snapshot, at: this.at, entries, ...given }, payload)
  }

  repeat(batch: Batch, payload?: Buffer): Folding {
    const offset = this.records.length
    const folding = fold(this.state, batch, offset)
    this.records.push({ offset, batch, folding, ...(payload && { payload }) })
    return folding
  }

  /** One entry, one answer. */
  ask(entry: Entry, options: Partial<Batch> = {}): Answer {
    const folding = this.write([entry], options)
    if (typeof folding === 'string') throw new Error(folding)
    return folding[0]!
  }

  status(entry: Entry, options: Partial<Batch> = {}): string {
    return this.ask(entry, options).status
  }

  /** Appends a snapshot of now; `between` is written after its first part. */
  snapshot(between: () => void = () => {}): void {
    const of = this.records.length
    this.write([{ type: 'begin' }], { writer: 'keeper' })
    const parts = [...cut(capture(this.state))]
    for (const [index, payload] of parts.entries()) {
      if (index === 1 || parts.length === 1) between()
      this.write([{ type: 'part', of, index, last: index === parts.length - 1 }], { writer: 'keeper', payload })
    }
  }
}

/** The state as a starter would load it. */
export async function restart(state: State): Promise<State> {
  return load([...cut(capture(state))])
}

export function toRecord({ offset, batch, payload }: Log['records'][number]): LogRecord {
  return { offset, batch, bytes: 100, ...(payload && { payload }) }
}
