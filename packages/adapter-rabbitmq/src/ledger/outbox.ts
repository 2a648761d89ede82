import { JobportError } from '@jobport/core/driver'
import { RULES, type Answer, type Batch, type Entry } from './entries.ts'
import { encodeBatch, type Decoded } from './wire.ts'

/** Entries a message. */
const MOST_ENTRIES = 200
const MOST_BYTES = 100_000
/** Messages sent and not read back: what comes meanwhile shares the next one. */
const WINDOW = 4
/** Entries that wait to be sent. */
const MOST_WAITING = 20_000

/** What the ledger knows as it sends. */
export interface Sender {
  readonly epoch: string
  readonly seen: number
  readonly snapshot: number
  /** Only snapshots may be sent now. */
  readonly held: boolean
  send(content: Buffer): void
}

export interface Item {
  readonly entry: Entry
  readonly payload: Buffer | undefined
  readonly size: number
  /** Its caller waits no longer. */
  readonly done: boolean
  /** Called once, within the fold that decides; `at`: when its message was sent first, epoch ms. */
  settle(answer: Answer, at: number): void
  fail(error: JobportError): void
}

interface Sent extends Decoded {
  readonly content: Buffer
  readonly items: readonly Item[]
  readonly at: number
}

/** Entries on their way into the log: batched, in order, sent again until they are read back. */
export class Outbox {
  readonly writer: string = crypto.randomUUID().slice(0, 18)
  #seq = 0
  #waiting: Item[] = []
  /** Pieces of a snapshot: they share the way with the others, a message each in turn. */
  #pieces: Item[] = []
  #pieceIsNext = false
  readonly #sent = new Map<number, Sent>()
  #sender: Sender | undefined
  #scheduled = false

  add(item: Item): void {
    if (this.#waiting.length >= MOST_WAITING)
      return item.fail(new JobportError('UNAVAILABLE', 'too many entries wait for the ledger'))
    if (isSnapshot(item)) this.#pieces.push(item)
    else this.#waiting.push(item)
    this.#schedule()
  }

  /** Waiting only: it is taken back, nothing was appended. Answers whether it was. */
  retract(item: Item): boolean {
    for (const queue of [this.#waiting, this.#pieces]) {
      const at = queue.indexOf(item)
      if (at >= 0) return queue.splice(at, 1).length > 0
    }
    return false
  }

  /** Epoch ms of the oldest message that was not read back. */
  get oldest(): number | undefined {
    for (const { at } of this.#sent.values()) return at
    return undefined
  }

  /** Sends again what was not read back, in order and unchanged; new entries follow. */
  resume(sender: Sender): void {
    this.#sender = sender
    for (const { content } of this.#sent.values()) sender.send(content)
    this.#schedule()
  }

  /** Somebody else's snapshot may be what had to come first. */
  wake(): void {
    if (this.#sent.size === 0) this.#schedule()
  }

  suspend(): void {
    this.#sender = undefined
  }

  /** What was sent in these bytes and not read back yet: it need not be decoded. */
  recognize(content: Buffer): Decoded | undefined {
    for (const sent of this.#sent.values()) if (sent.content.equals(content)) return sent
    return undefined
  }

  /** One of our messages was folded. What was stale is decided anew, but for a claim. */
  answer(seq: number, answers: readonly Answer[]): void {
    const sent = this.#sent.get(seq)
    if (!sent) return
    this.#sent.delete(seq)
    const late = sent.items.filter((item, i) => {
      const answer = answers[i]!
      if (answer.status === 'stale' && item.entry.type !== 'claim') return true
      if (!item.done) item.settle(answer, sent.at)
      return false
    })
    this.#renew(late, [])
    this.#schedule()
  }

  /** What up to `seq` was folded unseen, or belongs to a log that is gone, is decided anew, unless that could hit another job. */
  settleUnseen(seq: number): void {
    for (const [number, { items }] of this.#sent) {
      if (number > seq) return
      this.#sent.delete(number)
      this.#renew(items, ['remove', 'purge', 'begin', 'part'])
    }
  }

  abandonAll(): void {
    const sent = [...this.#sent.values()].flatMap(({ items }) => items)
    this.#sent.clear()
    this.#renew(sent, ['claim', 'remove', 'purge', 'begin', 'part'])
  }

  fail(error: JobportError): void {
    const items = [...this.#sent.values()].flatMap(({ items }) => items)
    this.#sent.clear()
    for (const item of [...items, ...this.#waiting.splice(0), ...this.#pieces.splice(0)]) if (!item.done) item.fail(error)
  }

  #renew(items: readonly Item[], unconfirmed: readonly Entry['type'][]): void {
    const again: Item[] = []
    for (const item of items) {
      if (item.done) continue
      if (unconfirmed.includes(item.entry.type))
        item.fail(new JobportError('UNCONFIRMED', `${item.entry.type}: the ledger cannot tell what became of it`))
      else again.push(item)
    }
    this.#waiting.unshift(...again)
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length + this.#pieces.length === 0) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    const sender = this.#sender
    if (!sender) return
    while (sender === this.#sender && this.#sent.size < WINDOW) {
      const items = this.#take(sender.held)
      if (items.length === 0) return
      const { epoch, seen, snapshot } = sender
      const seq = ++this.#seq
      const batch: Batch = {
        rules: RULES,
        epoch,
        writer: this.writer,
        seq,
        seen,
        snapshot,
        at: Date.now(),
        entries: items.map(({ entry }) => entry),
      }
      const payload = items[0]?.payload
      const content = encodeBatch(batch, payload)
      this.#sent.set(seq, { batch, ...(payload && { payload }), content, items, at: batch.at })
      sender.send(content)
    }
  }

  /** The next message: a piece of a snapshot, or as many entries as go into one. */
  #take(held: boolean): Item[] {
    this.#pieceIsNext = !this.#pieceIsNext
    if (this.#pieces.length > 0 && (this.#pieceIsNext || held || this.#waiting.length === 0)) return this.#pieces.splice(0, 1)
    if (held) return []
    let [count, bytes] = [0, 0]
    for (const { size } of this.#waiting) {
      bytes += size
      if (count === MOST_ENTRIES || (count > 0 && bytes > MOST_BYTES)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }
}

function isSnapshot({ entry: { type } }: Item): boolean {
  return type === 'begin' || type === 'part'
}
