import type { JobState, Page, QueueAdmin, QueueStatus, Scope, StoredJob } from '@jobport/core/driver'
import { toWire } from './mapping.ts'
import type { Calls } from './calls.ts'
import type { Control } from './control.ts'
import type { Letter, Letters } from './letters.ts'
import type { Names } from './names.ts'
import type { Post } from './post.ts'
import type { Topology } from './topology.ts'

export interface AdminOptions {
  readonly calls: Calls
  readonly control: Control
  readonly topology: Topology
  readonly post: Post
  readonly letters: Letters
}

/** Looks at a queue through what AMQP tells, its workers, and its dead letters. */
export class RabbitMQAdmin implements QueueAdmin {
  readonly #queue: string
  readonly #options: AdminOptions

  constructor(queue: string, options: AdminOptions) {
    this.#queue = queue
    this.#options = options
  }

  async counts(): Promise<Record<JobState, number>> {
    const { calls, control, topology, letters } = this.#options
    const { work } = this.#names
    const found = await calls.find(`counting ${this.#queue}`, (channel) => channel.checkQueue(work))
    if (!found) return { waiting: 0, delayed: 0, active: 0, dead: await letters.count() }
    const [delayed, { replies }, dead] = await Promise.all([topology.delayed(this.#queue), control.ask(this.#names, 'state'), letters.count()])
    return { waiting: found.messageCount, delayed, active: replies.reduce((sum, { active }) => sum + active, 0), dead }
  }

  async status(): Promise<QueueStatus> {
    const { control } = this.#options
    const [paused, { replies, silent }] = await Promise.all([control.isPaused(this.#names), control.ask(this.#names, 'state')])
    const processes = new Set(replies.filter(({ consuming }) => consuming).map(({ process }) => process))
    return { paused, workers: processes.size + silent }
  }

  async get(id: string, _scope: Scope): Promise<StoredJob | undefined> {
    return this.#options.letters.read(async (letters) => {
      const letter = letters.find(({ reading }) => reading.message.id === id)
      return letter && stored(letter)
    })
  }

  /** A cursor is the dead letter that came last. */
  async list(_state: JobState, { limit, cursor }: { limit: number; cursor?: string }): Promise<Page> {
    return this.#options.letters.read(async (letters) => {
      const left = cursor === undefined ? letters : letters.filter((letter) => markOf(letter) < cursor)
      const page = left.slice(0, limit)
      return { jobs: page.map(stored), ...(left.length > limit && { cursor: markOf(page.at(-1)!) }) }
    })
  }

  async remove(key: string, _scope: Scope): Promise<boolean> {
    return this.#options.letters.read(async (letters, acknowledge) => {
      const letter = letters.find(({ reading }) => reading.message.uid === key)
      if (letter) await acknowledge(letter)
      return letter !== undefined
    })
  }

  async purge(_scope: Scope): Promise<number> {
    return this.#options.letters.purge()
  }

  async redrive(uid: string, as: { uid: string; attempts?: number }): Promise<'redriven' | 'duplicate' | 'missing'> {
    return this.#options.letters.read(async (letters, acknowledge) => {
      const letter = letters.find(({ reading }) => reading.message.uid === uid)
      if (!letter) return 'missing'
      const { dedup: _, delay: __, ...message } = letter.reading.message
      const again = { ...message, uid: as.uid, ...(as.attempts !== undefined && { attempts: as.attempts }) }
      await this.#options.post.forward(this.#queue, toWire(again, { attempt: 1, crashes: 0 }), Date.now())
      await acknowledge(letter)
      return 'redriven'
    })
  }

  async pause(): Promise<void> {
    await this.#options.control.pause(this.#names)
  }

  async resume(): Promise<void> {
    await this.#options.control.resume(this.#names)
  }

  async drop(): Promise<void> {
    await this.#options.letters.close()
    await this.#options.topology.drop(this.#queue)
  }

  get #names(): Names {
    return this.#options.topology.names(this.#queue)
  }
}

function stored({ reading: { message, travel }, dead: { reason, error, at } }: Letter): StoredJob {
  return { message, state: 'dead', attempt: travel.attempt, crashes: travel.crashes, dead: { reason, error, at } }
}

/** Sorts as the list does. */
function markOf({ dead: { at, letter }, reading }: Letter): string {
  return `${String(at).padStart(15, '0')} ${letter} ${reading.message.uid}`
}
