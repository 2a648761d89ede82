import { EventEmitter, once } from 'node:events'
import type { JobState, Receipt, Worker } from '@jobport/core'
import type { OrderJobs } from './jobs.ts'

type End = 'completed' | 'dead' | 'removed'

/** One life of a job, from its receipt to its end. */
interface Life {
  readonly uid: string
  readonly kind: string
  accepted: boolean
  /** One of them, if all is well. */
  readonly ends: Set<End>
}

export type Row = Record<'accepted' | End | 'live' | 'retries', number>

/** What the broker itself says, to hold the ledger against. */
export interface BrokersWord {
  readonly counts: Readonly<Record<JobState, number>>
  /** The uids of its dead letters. */
  readonly dead: readonly string[]
}

/** Keeps account of every job by `uid`, from receipts and events: none is lost, or counted twice, unseen. */
export class Ledger {
  readonly #lives = new Map<string, Life>()
  /** Of the job that holds an id. */
  readonly #uids = new Map<string, string>()
  readonly #retries = new Map<string, number>()
  readonly #changes = new EventEmitter()
  duplicates = 0
  redriven = 0

  added(kind: string, receipt: Receipt): void {
    if (!receipt.added) return void this.duplicates++
    this.#uids.set(receipt.id, receipt.uid)
    this.#life(receipt.uid, kind).accepted = true
  }

  watch(worker: Worker<OrderJobs>): Worker<OrderJobs> {
    return worker
      .on('completed', ({ uid, name }) => this.ended(uid, name, 'completed'))
      .on('dead', ({ uid, name }) => this.ended(uid, name, 'dead'))
      .on('failed', ({ name }, _error, retryIn) => {
        if (retryIn !== null) this.#retries.set(name, (this.#retries.get(name) ?? 0) + 1)
      })
  }

  ended(uid: string, kind: string, end: End): void {
    this.#life(uid, kind).ends.add(end)
    this.#changes.emit('end')
  }

  /** `queue.remove(id)` answered `true`. */
  removed(id: string, kind: string): void {
    this.ended(this.#uids.get(id) ?? id, kind, 'removed')
  }

  /** The dead letter of `uid` lives again, under the uid of the receipt. */
  redrove(uid: string, kind: string, receipt: Receipt): void {
    this.#lives.delete(uid)
    this.redriven++
    this.added(kind, receipt)
  }

  /** Resolves once every accepted job, of these kinds or of all, has ended. */
  async settled(signal: AbortSignal, ...kinds: string[]): Promise<void> {
    const open = ({ kind, ends }: Life): boolean => ends.size === 0 && (kinds.length === 0 || kinds.includes(kind))
    while ([...this.#lives.values()].some(open)) {
      await once(this.#changes, 'end', { signal }).catch(() => {
        throw new Error(`${this.total().live} jobs have not ended`, { cause: signal.reason })
      })
    }
  }

  /** By kind of job, in order of appearance. */
  rows(): Map<string, Row> {
    const rows = new Map<string, Row>()
    for (const { kind, accepted, ends } of this.#lives.values()) {
      const row = rows.get(kind) ?? { ...EMPTY, retries: this.#retries.get(kind) ?? 0 }
      if (accepted) row.accepted++
      if (ends.size === 0) row.live++
      for (const end of ends) row[end]++
      rows.set(kind, row)
    }
    return rows
  }

  row(kind: string): Row {
    return this.rows().get(kind) ?? EMPTY
  }

  total(): Row {
    const total = { ...EMPTY }
    for (const row of this.rows().values()) for (const column of COLUMNS) total[column] += row[column]
    return total
  }

  /** Whatever does not add up, in words. */
  mistakes({ counts, dead }: BrokersWord): string[] {
    const letters = new Set(dead)
    return [
      ...this.#unequal(counts),
      ...[...this.#lives.values()].flatMap((life) => mistakesOf(life, letters)),
      ...this.#strangers(letters),
    ]
  }

  #unequal({ waiting, delayed, active, dead }: BrokersWord['counts']): string[] {
    const { accepted, completed, removed } = this.total()
    const live = waiting + delayed + active
    if (accepted === completed + dead + removed + live) return []
    return [`${accepted} accepted ≠ ${completed} completed + ${dead} dead + ${removed} removed + ${live} live`]
  }

  #strangers(letters: ReadonlySet<string>): string[] {
    return [...letters].filter((uid) => !this.#lives.has(uid)).map((uid) => `dead letter ${uid}: nobody added it`)
  }

  /** Its end may be heard of before its receipt. */
  #life(uid: string, kind: string): Life {
    let life = this.#lives.get(uid)
    if (!life) this.#lives.set(uid, (life = { uid, kind, accepted: false, ends: new Set() }))
    return life
  }
}

const EMPTY: Row = { accepted: 0, completed: 0, dead: 0, removed: 0, live: 0, retries: 0 }
const COLUMNS = Object.keys(EMPTY) as (keyof Row)[]

function mistakesOf({ uid, kind, accepted, ends }: Life, letters: ReadonlySet<string>): string[] {
  const name = `${kind} ${uid}`
  return [
    ...(accepted ? [] : [`${name}: nobody added it`]),
    ...(ends.size > 1 ? [`${name}: ${[...ends].join(' and ')}`] : []),
    ...(ends.has('dead') && !letters.has(uid) ? [`${name}: dead, but no dead letter`] : []),
    ...(!ends.has('dead') && letters.has(uid) ? [`${name}: a dead letter, but ${[...ends].join() || 'live'}`] : []),
  ]
}
