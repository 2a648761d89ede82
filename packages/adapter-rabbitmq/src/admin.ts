import { setTimeout as pause } from 'node:timers/promises'
import {
  decode,
  type JobState,
  type Page,
  type QueueAdmin,
  type QueueStatus,
  type Scope,
  type StoredJob,
} from '@jobport/core/driver'
import { hasGivenId, toWire } from './mapping.ts'
import { record } from './record.ts'
import { tally } from './tally.ts'
import type { Calls } from './calls.ts'
import type { Control } from './control.ts'
import type { Emptying } from './emptying.ts'
import type { LedgerApi } from './ledger/api.ts'
import type { Life } from './ledger/records.ts'
import type { Ledgers } from './ledgers.ts'
import type { Letter, Letters } from './letters.ts'
import type { Names } from './names.ts'
import type { Post } from './post.ts'
import type { Settings } from './settings.ts'
import type { Topology } from './topology.ts'

/** Longer than a message takes from one queue to the next, ms. */
const MOVING = 30

/** How many. */
interface Resting {
  readonly waiting: number
  readonly delayed: number
}

export interface AdminOptions {
  readonly calls: Calls
  readonly control: Control
  readonly topology: Topology
  readonly post: Post
  readonly ledgers: Ledgers
  readonly letters: Letters
  readonly emptying: Emptying
  readonly settings: Settings
}

/** Looks at a queue through what AMQP tells, its workers, its ledger, and its dead letters. */
export class RabbitMQAdmin implements QueueAdmin {
  readonly #queue: string
  readonly #options: AdminOptions

  constructor(queue: string, options: AdminOptions) {
    this.#queue = queue
    this.#options = options
  }

  async counts(): Promise<Record<JobState, number>> {
    const { calls, control, ledgers, letters, settings } = this.#options
    const { work } = this.#names
    const found = await calls.find(`counting ${this.#queue}`, (channel) => channel.checkQueue(work))
    if (!found) return { waiting: 0, delayed: 0, active: 0, dead: await letters.count() }
    const ledger = await synced(ledgers.find(this.#queue))
    if (settings.ledger === 'all' && ledger) return { ...ledger.state.counts(), dead: await letters.count() }
    const [messages, { replies, silent }, dead] = await Promise.all([
      this.#messages(),
      control.state(this.#names),
      letters.count(),
    ])
    const held = replies.reduce((sum, { active }) => sum + active, 0)
    const ahead = replies.reduce((sum, reply) => sum + (reply.ahead ?? 0), 0)
    const known = ledger?.state.counts()
    const { waiting, delayed } = resting({ ...messages, waiting: messages.waiting + ahead }, ledger, settings)
    return {
      waiting,
      delayed,
      active: silent > 0 ? Math.max(held, known?.active ?? 0) : held,
      dead,
    }
  }

  async status(): Promise<QueueStatus> {
    const { control } = this.#options
    const [paused, { replies, silent }] = await Promise.all([control.isPaused(this.#names), control.state(this.#names)])
    const processes = new Set(replies.filter(({ consuming }) => consuming).map(({ process }) => process))
    return { paused, workers: processes.size + silent }
  }

  async get(id: string, scope: Scope): Promise<StoredJob | undefined> {
    if (scope === 'dead') return this.#read(async (letters) => letters.map(stored).find(({ message }) => message.id === id))
    const ledger = await this.#ledger()
    const life = ledger?.state.holder(id)
    return life && livingJob(life)
  }

  /** A cursor is the dead letter that came last. */
  async list(state: JobState, { limit, cursor }: { limit: number; cursor?: string }): Promise<Page> {
    if (state !== 'dead') return this.#listLive(state, { limit, ...(cursor !== undefined && { cursor }) })
    return this.#read(async (letters) => {
      const left = cursor === undefined ? letters : letters.filter((letter) => markOf(letter) < cursor)
      const page = left.slice(0, limit)
      return { jobs: page.map(stored), ...(left.length > limit && { cursor: markOf(page.at(-1)!) }) }
    })
  }

  async remove(key: string, scope: Scope): Promise<boolean> {
    if (scope === 'live') {
      const ledger = await this.#ledger()
      const answer = await ledger?.append({ type: 'remove', id: key })
      return answer?.status === 'removed'
    }
    return this.#one(key, async (letter, ledger, acknowledge) => {
      if (!letter) return false
      if (isRecorded(letter)) await ledger?.append({ type: 'cleared', uid: key })
      await acknowledge(letter)
      return true
    })
  }

  async purge(scope: Scope): Promise<number> {
    if (scope === 'live') return this.#purgeLive()
    const ledger = await this.#ledger()
    const purged = await this.#options.letters.purge()
    const valid = purged.filter((letter) => isValid(letter, ledger))
    const recorded = valid.filter(isRecorded)
    if (ledger) await Promise.all(recorded.map(({ reading }) => ledger.append({ type: 'cleared', uid: reading.message.uid })))
    return valid.length
  }

  /** What is published meanwhile may be removed as well; a ledger that was made meanwhile may know of it. */
  async #purgeLive(): Promise<number> {
    const { emptying } = this.#options
    const before = await this.#ledger()
    const emptied = before ? 0 : await emptying.run(this.#queue, undefined)
    const ledger = before ?? (await this.#ledger())
    if (!ledger) return emptied
    const answer = await ledger.append({ type: 'purge' })
    const known = answer.status === 'purged' ? answer.count : 0
    return before ? known + (await emptying.run(this.#queue, ledger)) : Math.max(known, emptied)
  }

  async redrive(uid: string, as: { uid: string; attempts?: number }): Promise<'redriven' | 'duplicate' | 'missing'> {
    return this.#one(uid, async (letter, _, acknowledge) => {
      if (!letter) return 'missing'
      const { dedup: __, delay: ___, ...message } = letter.reading.message
      const again = { ...message, uid: as.uid, ...(as.attempts !== undefined && { attempts: as.attempts }) }
      const answer = await this.#bringBack(letter, again)
      if (answer === 'duplicate') return answer
      await acknowledge(letter)
      if (isRecorded(letter)) await (await this.#options.ledgers.of(this.#queue)).append({ type: 'cleared', uid })
      return answer
    })
  }

  async pause(): Promise<void> {
    await this.#options.control.pause(this.#names)
  }

  async resume(): Promise<void> {
    await this.#options.control.resume(this.#names)
  }

  async drop(): Promise<void> {
    const { letters, ledgers, emptying, topology, settings } = this.#options
    await letters.close()
    await ledgers.forget(this.#queue)
    // a shared chain stays, and would bring them back
    if (settings.delays === 'shared') await emptying.run(this.#queue, undefined)
    await topology.drop(this.#queue)
  }

  /** A message that moves is in no queue for a moment: of two looks, the one that sees more is right. */
  async #messages(): Promise<Resting> {
    const first = await this.#look()
    if (first.delayed === 0) return first
    await pause(MOVING)
    const second = await this.#look()
    return first.waiting + first.delayed > second.waiting + second.delayed ? first : second
  }

  /** In the order that counts none twice. */
  async #look(): Promise<Resting> {
    const { calls, topology } = this.#options
    const { work } = this.#names
    const { messageCount } = await calls.run(`counting ${this.#queue}`, (channel) => tally(channel, work))
    return { waiting: messageCount, delayed: await topology.delayed(this.#queue) }
  }

  async #listLive(state: Exclude<JobState, 'dead'>, page: { limit: number; cursor?: string }): Promise<Page> {
    const ledger = await this.#ledger()
    if (!ledger) return { jobs: [] }
    const { lives, cursor } = ledger.state.list(state, page)
    return { jobs: lives.map(livingJob), ...(cursor !== undefined && { cursor }) }
  }

  /** A redriven job has a uid other than its id, and so it always has a claim. */
  async #bringBack(letter: Letter, again: Parameters<typeof toWire>[0]): Promise<'redriven' | 'duplicate' | 'missing'> {
    const { post, ledgers, settings } = this.#options
    if (!hasGivenId(again) && settings.ledger === 'given') {
      await post.forward(this.#queue, toWire(again, { attempt: 1, crashes: 0 }), 0)
      return 'redriven'
    }
    const ledger = await ledgers.of(this.#queue)
    if ((await ledger.taken(again.id)) !== undefined) return 'duplicate'
    const from = isRecorded(letter) ? { uid: letter.reading.message.uid, letter: letter.dead.letter } : undefined
    const result = await record({ post, ledger }, this.#queue, again, from ? { from } : {})
    if (result === 'missing') return 'missing'
    if (result.status === 'rejected' || result.status === 'unknown') throw result.error
    return result.status === 'added' ? 'redriven' : 'duplicate'
  }

  /** Of several dead letters of one death, which a crash can leave, the ledger knows the valid one. */
  async #read<T>(use: (letters: readonly Letter[]) => Promise<T>): Promise<T> {
    const ledger = await this.#ledger()
    return this.#options.letters.read((letters) => use(letters.filter((letter) => isValid(letter, ledger))))
  }

  async #one<T>(
    uid: string,
    use: (
      letter: Letter | undefined,
      ledger: LedgerApi | undefined,
      acknowledge: (letter: Letter) => Promise<void>,
    ) => Promise<T>,
  ): Promise<T> {
    const ledger = await this.#ledger()
    const isIt = (letter: Letter): boolean => letter.reading.message.uid === uid && isValid(letter, ledger)
    return this.#options.letters.one(isIt, (letter, acknowledge) => use(letter, ledger, acknowledge))
  }

  /** As of now. */
  async #ledger(): Promise<LedgerApi | undefined> {
    return synced(this.#options.ledgers.find(this.#queue))
  }

  get #names(): Names {
    return this.#options.topology.names(this.#queue)
  }
}

async function synced(finding: Promise<LedgerApi | undefined>): Promise<LedgerApi | undefined> {
  const ledger = await finding
  await ledger?.sync()
  return ledger
}

function isRecorded({ reading }: Letter): boolean {
  return reading.travel.ledger !== undefined
}

function isValid(letter: Letter, ledger: LedgerApi | undefined): boolean {
  const fate = isRecorded(letter) ? ledger?.state.fate(letter.reading.message.uid) : undefined
  if (fate?.kind === 'dead') return (fate.letter ?? letter.dead.letter) === letter.dead.letter && fate.redriven === undefined
  return fate === undefined
}

/** Of its messages, those of jobs that live. The ledger knows of those that it recorded, wherever they are just now. */
function resting(messages: Resting, ledger: LedgerApi | undefined, { delays }: Settings): Resting {
  const tombs = tombsOf(ledger)
  const { waiting = 0, delayed: due = 0 } = ledger?.state.counts() ?? {}
  // a shared chain does not tell whose messages it holds
  const inChain = delays === 'shared' ? due : messages.delayed - tombs.delayed
  const live = Math.max(0, messages.waiting - tombs.waiting + inChain, waiting + due)
  const delayed = Math.min(live, Math.max(0, inChain, due))
  return { waiting: live - delayed, delayed }
}

/** Messages that lie in the queues although their jobs are over. */
function tombsOf(ledger: LedgerApi | undefined): Resting {
  const tombs = [...(ledger?.state.tombs() ?? [])]
  const delayed = tombs.filter(({ dueAt = 0 }) => dueAt > Date.now()).length
  return { waiting: tombs.length - delayed, delayed }
}

function livingJob({ body, uid, attempt, crashes, dueAt, run }: Life): StoredJob {
  const message = decode(new TextEncoder().encode(body ?? JSON.stringify({ id: uid, uid, name: 'unknown', addedAt: 0 })))
  const isDelayed = run === undefined && dueAt !== undefined && dueAt > Date.now()
  if (isDelayed) return { message, state: 'delayed', attempt, crashes, dueAt }
  return { message, state: run === undefined ? 'waiting' : 'active', attempt, crashes }
}

function stored({ reading: { message, travel }, dead: { reason, error, at } }: Letter): StoredJob {
  return { message, state: 'dead', attempt: travel.attempt, crashes: travel.crashes, dead: { reason, error, at } }
}

/** Sorts as the list does. */
function markOf({ dead: { at, letter }, reading }: Letter): string {
  return `${String(at).padStart(15, '0')} ${letter} ${reading.message.uid}`
}
