import type { Entry } from './entry.ts'

const PRIORITIES = 10

/** Waiting jobs: by priority, what was handed back before what arrived, each in order. */
export class Lanes {
  /** Two lanes a priority: handed back, arrived. A Map keeps its order and removes from the middle. */
  readonly #lanes: readonly Map<string, Entry>[] = Array.from({ length: PRIORITIES * 2 }, () => new Map<string, Entry>())
  /** Where taking has come to: a new iterator would walk over all that was taken before. */
  readonly #heads: (Iterator<Entry> | undefined)[] = []

  get size(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.size, 0)
  }

  add(entry: Entry, { handedBack = false }: { readonly handedBack?: boolean } = {}): void {
    const priority = Math.min(entry.priority, PRIORITIES - 1)
    this.#lanes[priority * 2 + (handedBack ? 0 : 1)]!.set(entry.uid, entry)
  }

  take(): Entry | undefined {
    for (let i = 0; i < this.#lanes.length; i++) {
      const lane = this.#lanes[i]!
      if (lane.size === 0) continue
      let next = this.#heads[i]?.next()
      if (!next || next.done) next = (this.#heads[i] = lane.values()).next()
      const entry = next.value as Entry
      lane.delete(entry.uid)
      return entry
    }
    return undefined
  }

  remove({ uid }: Entry): void {
    for (const lane of this.#lanes) if (lane.delete(uid)) return
  }

  *[Symbol.iterator](): Generator<Entry> {
    for (const lane of this.#lanes) yield* lane.values()
  }
}
