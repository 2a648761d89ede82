import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { capture, cut } from './snapshot.ts'
import type { Answer, Entry } from './entries.ts'
import type { State } from './state.ts'

/** What writing a snapshot needs of its ledger. */
export interface SnapshotLog {
  readonly state: State
  /** Bytes since the newest complete snapshot began. */
  readonly tail: number
  /** `folded` is called within the fold. Rejects if it was not confirmed. */
  write(entry: Entry, options?: { payload?: Buffer; folded?: () => void }): Promise<Answer>
}

/** Followers that are due at the same entry offer themselves within this time, ms; the first one writes. */
const STAGGER = 100

/** Writes a snapshot when one is due: then starting costs little, and the log's beginning can go. */
export class Snapshots {
  readonly #log: SnapshotLog
  readonly #every: number
  readonly #tail: number
  #busy = false
  /** Of a refusal, epoch ms: another one writes. */
  #refused = 0

  /** At the latest after `every` entries (or half as many as lives were in the last one, if more) or `tail` bytes. */
  constructor(log: SnapshotLog, every: number, tail: number) {
    this.#log = log
    this.#every = every
    this.#tail = tail
  }

  /** To be called after each message folded. */
  check(): void {
    if (this.#busy || !this.#due() || Date.now() - this.#refused < 1_000) return
    this.#busy = true
    void this.#write()
      .catch(() => undefined)
      .finally(() => (this.#busy = false))
  }

  #due(): boolean {
    const { head } = this.#log.state
    if (head.writing && Date.now() - head.writing.at < 10_000) return false
    return head.count - head.snapshotCount >= Math.max(this.#every, head.snapshotLives / 2) || this.#log.tail >= this.#tail
  }

  async #write(): Promise<void> {
    await sleep(Math.random() * STAGGER)
    if (!this.#due()) return
    let lines: Iterable<string> | undefined
    const { status } = await this.#log.write({ type: 'begin' }, { folded: () => (lines = capture(this.#log.state)) })
    const { writing } = this.#log.state.head
    if (status !== 'ok' || !writing || !lines) {
      this.#refused = Date.now()
      return
    }
    await this.#writeParts(writing.of, lines)
    // without this entry starters read older messages only, and an older snapshot
    await this.#log.write({ type: 'probe', id: '' })
  }

  async #writeParts(of: number, lines: Iterable<string>): Promise<void> {
    const waiting: Promise<Answer>[] = []
    let index = 0
    let held: Buffer | undefined
    const write = (payload: Buffer, last: boolean): void => {
      const written = this.#log.write({ type: 'part', of, index: index++, last }, { payload })
      written.catch(() => undefined)
      waiting.push(written)
    }
    for (const part of cut(lines)) {
      if (held) write(held, false)
      held = part
      if (waiting.length >= 4) await waiting.shift()
      await turn()
    }
    if (held) write(held, true)
    await Promise.all(waiting)
  }
}
