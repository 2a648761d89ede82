import type { Entry } from './entry.ts'

const PRIORITIES = 10
/** Fewer places than that are not worth moving the rest for. */
const TRIM = 1_024

/** Waiting jobs: by priority, what was handed back before what arrived, each in order. */
export class Lanes {
  /** Two lanes a priority: handed back, arrived. */
  readonly #lanes: readonly Lane[] = Array.from({ length: PRIORITIES * 2 }, () => new Lane())
  /** Removed from the middle of a lane, and passed over when their turn comes. */
  readonly #removed = new Set<Entry>()
  #size = 0

  get size(): number {
    return this.#size
  }

  add(entry: Entry, { handedBack = false }: { readonly handedBack?: boolean } = {}): void {
    const priority = Math.min(entry.priority, PRIORITIES - 1)
    this.#lanes[priority * 2 + (handedBack ? 0 : 1)]!.add(entry)
    this.#size++
  }

  /** The next, unless its add is not answered yet: then nothing goes before it. */
  take(): Entry | undefined {
    if (this.#size === 0) return undefined
    for (let i = 0; i < this.#lanes.length; i++) {
      const lane = this.#lanes[i]!
      for (let entry = lane.next; entry; entry = lane.next) {
        if (entry.isFresh && !this.#removed.has(entry)) return undefined
        lane.take()
        if (this.#removed.delete(entry)) continue
        this.#size--
        return entry
      }
    }
    return undefined
  }

  /** Of one that waits. */
  remove(entry: Entry): void {
    this.#removed.add(entry)
    this.#size--
    if (this.#removed.size < TRIM || this.#removed.size < this.#size) return
    for (const lane of this.#lanes) lane.drop(this.#removed)
    this.#removed.clear()
  }

  *[Symbol.iterator](): Generator<Entry> {
    for (const lane of this.#lanes) for (const entry of lane) if (!this.#removed.has(entry)) yield entry
  }
}

class Lane {
  #entries: (Entry | undefined)[] = []
  /** Where taking has come to. */
  #head = 0

  add(entry: Entry): void {
    this.#entries.push(entry)
  }

  get next(): Entry | undefined {
    return this.#entries[this.#head]
  }

  take(): void {
    this.#entries[this.#head++] = undefined
    if (this.#head >= TRIM && this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
  }

  drop(removed: ReadonlySet<Entry>): void {
    this.#entries = [...this].filter((entry) => !removed.has(entry))
    this.#head = 0
  }

  *[Symbol.iterator](): Generator<Entry> {
    for (let i = this.#head; i < this.#entries.length; i++) yield this.#entries[i]!
  }
}
