import { setTimeout as pause } from 'node:timers/promises'
import { JobportError } from '@jobport/core/driver'
import { toJobportError } from './faults.ts'
import { LeasedJob, type LeasedJobFields } from './leased-job.ts'
import { handBackLater, LedgerSteps } from './ledger-steps.ts'
import { copyOf, newLetter, unchanged, type DeadNote, type Reading } from './mapping.ts'
import { crashesOf, PlainSteps, type InHand } from './plain-steps.ts'
import type { InHand as Delivered, LedgerApi, Verdict } from './ledger/api.ts'
import type { Claim } from './ledger/entries.ts'
import type { Ledgers } from './ledgers.ts'
import type { Post } from './post.ts'
import type { Settings } from './settings.ts'

/** Before a message that could not be looked up is tried again, ms. */
const RETRY = 500
/** The same, if the broker refuses to have it cleared away. */
const REFUSED = 5_000
/** Larger jobs are in the ledger without their data, characters of JSON. */
const MOST_BODY = 262_144

/** Decides what a message that was delivered is: a job to run, or something to be cleared away. */
export class Leasing {
  readonly #post: Post
  readonly #ledgers: Ledgers
  readonly #settings: Settings
  readonly #held = new Map<string, LeasedJob>()
  readonly #report: (error: JobportError) => void
  /** Queues whose jobs came early. */
  readonly #early = new Set<string>()

  constructor(post: Post, ledgers: Ledgers, settings: Settings, report: (error: JobportError) => void) {
    this.#report = report
    this.#post = post
    this.#ledgers = ledgers
    this.#settings = settings
  }

  /** `undefined`: there is nothing to run, and the message is taken care of. At once if only its queue knows the job. */
  lease(hand: InHand): LeasedJob | Promise<LeasedJob | undefined> {
    this.#heed(hand)
    const left = this.#post.left(hand.queue, hand.raw.fields)
    if (left > 0) return this.#postpone(hand, left)
    const earlier = this.#held.get(hand.reading.message.uid)
    if (earlier?.isSettling) return settled(earlier).then(() => this.#lease(hand))
    return this.#lease(hand)
  }

  /** A delay queue hands on what is due. One that a policy limits hands on what it has no room for, too. Told once for each queue. */
  #heed({ queue, raw }: InHand): void {
    const deaths: unknown = raw.properties.headers?.['x-death']
    if (!Array.isArray(deaths) || this.#early.has(queue)) return
    const full = (deaths as { readonly reason?: unknown; readonly queue?: unknown }[]).find(({ reason }) => reason === 'maxlen')
    if (!full) return
    this.#early.add(queue)
    const what = `a policy limits the length of ${String(full.queue)}, so that delayed jobs start early`
    this.#report(new JobportError('SERVER_UNSUITABLE', `${queue}: ${what}`))
  }

  async #postpone(hand: InHand, left: number): Promise<undefined> {
    const { queue, raw, reading, session } = hand
    try {
      await this.#post.postpone(queue, unchanged(raw, reading), left)
      await session.ack(raw)
    } catch (error) {
      handBackSoon(hand, RETRY)
      throw error
    }
  }

  #lease(hand: InHand): LeasedJob | Promise<LeasedJob | undefined> {
    if (this.#isRecorded(hand.reading)) return this.#recorded(hand)
    return this.#hold(this.#plain(hand))
  }

  async #recorded(hand: InHand): Promise<LeasedJob | undefined> {
    try {
      const followed = this.#ledgers.of(hand.queue)
      const ledger = followed instanceof Promise ? await followed : followed
      const verdict = await ledger.take(this.#delivered(hand, ledger), { usable: () => hand.session.isOpen })
      if (verdict.type === 'run') return this.#hold(this.#run(hand, ledger, verdict))
      await this.#clear(hand, ledger, verdict)
      return undefined
    } catch (error) {
      const told = toJobportError(error, `job ${hand.reading.message.id}`)
      handBackSoon(hand, told.code === 'UNAVAILABLE' ? RETRY : REFUSED)
      throw told
    }
  }

  #hold(job: LeasedJob): LeasedJob {
    const { uid } = job.message
    this.#held.set(uid, job)
    job.onEnd(() => {
      if (this.#held.get(uid) === job) this.#held.delete(uid)
    })
    return job
  }

  #plain(hand: InHand): LeasedJob {
    const { raw, reading } = hand
    const { travel } = reading
    const crashes = crashesOf(raw)
    const counted = { attempt: travel.attempt, crashes: travel.crashes + crashes, stalled: crashes > 0 }
    return new LeasedJob({ ...fieldsOf(reading), ...counted }, new PlainSteps(hand, this.#post))
  }

  async #clear(hand: InHand, ledger: LedgerApi, verdict: Exclude<Verdict, { type: 'run' }>): Promise<void> {
    switch (verdict.type) {
      case 'drop':
        return hand.session.ack(hand.raw)
      case 'bury': {
        const { reason, error = { name: 'Error', message: 'unknown' }, at } = verdict.dead
        return this.#bury(hand, ledger, { reason, error, at, letter: newLetter(at) })
      }
      case 'unknown': {
        const error = { name: 'Error', message: 'the ledger knows no such job any more' }
        return this.#bury(hand, undefined, { reason: 'unknown', error, at: Date.now(), letter: newLetter(Date.now()) })
      }
      case 'busy':
        handBackLater(hand, ledger)
    }
  }

  #run(hand: InHand, ledger: LedgerApi, { run, life, stalled }: Extract<Verdict, { type: 'run' }>): LeasedJob {
    const { reading } = hand
    const steps = new LedgerSteps(hand, this.#post, ledger, run, life)
    const counted = { attempt: Math.max(life.attempt, reading.travel.attempt), crashes: life.crashes, stalled }
    const job = new LeasedJob({ ...fieldsOf(reading), ...counted }, steps)
    const lose = (): void => {
      if (job.isSettling || job.lease.isLost || !steps.isHeld) return
      job.lose()
      steps.holdBack()
    }
    ledger.watch(life.uid, () => {
      // its own settlement is the rule
      if (job.isSettling) return true
      const fate = ledger.state.fate(life.uid)
      const isOver = fate?.kind !== 'live' || fate.run !== run
      if (isOver) queueMicrotask(lose)
      return isOver
    })
    return job
  }

  async #bury(hand: InHand, ledger: LedgerApi | undefined, dead: DeadNote): Promise<void> {
    const { queue, raw, reading, session } = hand
    const { attempt, crashes } = reading.travel
    const mark = ledger && { epoch: ledger.epoch, seen: ledger.seen, first: false }
    await this.#post.bury(queue, copyOf(raw, reading, { attempt, crashes, ...(mark && { ledger: mark }) }, dead))
    await ledger?.append({ type: 'buried', uid: reading.message.uid, letter: dead.letter })
    await session.ack(raw)
  }

  #isRecorded({ travel, anonymous, invalid }: Reading): boolean {
    return travel.ledger !== undefined || (this.#settings.ledger === 'all' && !anonymous && !invalid)
  }

  #delivered({ raw, reading }: InHand, ledger: LedgerApi): Delivered {
    const { copy, message, travel } = reading
    const { epoch, first } = travel.ledger ?? { epoch: '', first: true }
    const acquired = raw.properties.headers?.['x-acquired-count'] as unknown
    const tok = raw.fields.redelivered && typeof acquired === 'number' ? acquired : crashesOf(raw)
    const delivered = { uid: message.uid, copy, tok, epoch }
    if (!first && epoch === ledger.epoch) return delivered
    return {
      ...delivered,
      // hardly ever needed
      get adopt() {
        return claimOf(reading)
      },
    }
  }
}

type Claimed = Omit<Claim, 'type'>

/** What the ledger is to know of a job. `since`: when its delay began, epoch ms; of a message that came from elsewhere it is not known. */
export function claimOf(
  { message, copy, travel }: Pick<Reading, 'message' | 'copy' | 'travel'>,
  since: number = message.addedAt,
): Claimed {
  const { id, uid, addedAt, dedup, delay } = message
  const { from, ledger: { seen } = { seen: 0 } } = travel
  const body = JSON.stringify(message)
  const claim: { -readonly [Field in keyof Claimed]: Claimed[Field] } = {
    id,
    uid,
    copy,
    seen,
    body: body.length <= MOST_BODY ? body : JSON.stringify({ ...message, data: null }),
  }
  if (dedup) claim.until = addedAt + dedup.ttl
  if (delay !== undefined && delay > 0) claim.dueAt = since + Math.ceil(delay)
  if (from) claim.from = from
  return claim
}

function fieldsOf({ message, invalid }: Reading): Pick<LeasedJobFields, 'message' | 'invalid'> {
  return { message, ...(invalid && { invalid }) }
}

/** The copy for the next run can be here before the run before it is settled; whoever listens is to hear of that first. */
async function settled(job: LeasedJob): Promise<void> {
  await new Promise<void>((resolve) => job.onEnd(resolve))
  await new Promise(setImmediate)
}

function handBackSoon({ session, raw }: InHand, ms: number): void {
  void session.setAside(raw, pause(ms, undefined, { ref: false }), 'requeue')
}
