import { newToken } from '../token.ts'
import type { InHand, LedgerApi, TakeOptions, Verdict } from './api.ts'
import type { AnswerTo, Start } from './entries.ts'
import type { Fate } from './records.ts'

/** How long a message that is not current waits to become it, ms: burning at once would livelock with `again`. */
const PATIENCE = 1_000
/** A start that was read back later than so after it was sent may have been overruled since: what follows is read first, ms. */
const FRESH = 500

type Ledger = Pick<LedgerApi, 'append' | 'until' | 'epoch' | 'seen' | 'state'>

interface Log {
  readonly ledger: Ledger
  /** `age`: how long ago it was sent when its answer was folded, ms. */
  readonly start: (entry: Start) => Promise<{ answer: AnswerTo<Start>; age: number }>
}

/** May this message run? Says what to do with it; see {@link Verdict}. */
export async function take({ ledger, start }: Log, hand: InHand, options: TakeOptions): Promise<Verdict> {
  const known = isCurrent(ledger, hand) ? undefined : await meet(ledger, hand, options)
  if (known) return known
  const run = newToken()
  let over: string | undefined
  while (options.usable()) {
    const { answer, age } = await start(startOf(hand, run, over))
    if (answer.status === 'busy') {
      if (answer.tok > hand.tok) break
      over = answer.run
      continue
    }
    if (answer.status !== 'started') return overFor(ledger, hand, answer, options)
    if (age >= FRESH) await ledger.append({ type: 'probe', id: '' }, options)
    if (options.usable()) return owned(ledger, hand.uid, run)
  }
  return { type: 'busy' }
}

function isCurrent(ledger: Ledger, { uid, copy }: InHand): boolean {
  const fate = ledger.state.fate(uid)
  return fate?.kind === 'live' && fate.copy === copy
}

/** Claims for a producer that never did, and waits for a message that came before its `again`. */
async function meet(ledger: Ledger, hand: InHand, options: TakeOptions): Promise<Verdict | undefined> {
  const fate = ledger.state.fate(hand.uid)
  if (!fate) return hand.adopt && adopt(ledger, hand, options)
  if (fate.kind !== 'live') return settled(ledger, hand, fate, options)
  if (fate.copy !== hand.copy) await ledger.until(hand.uid, (now) => now?.kind !== 'live' || now.copy === hand.copy, PATIENCE)
  return undefined
}

/** One of another epoch is claimed anew, whatever its age: a lost ledger may double jobs, never lose them. */
async function adopt(ledger: Ledger, hand: InHand, options: TakeOptions): Promise<Verdict | undefined> {
  const { uid, copy, epoch, adopt } = hand
  const claimed = { ...adopt!, uid, copy, seen: epoch === ledger.epoch ? adopt!.seen : ledger.seen }
  const { status } = await ledger.append({ type: 'claim', ...claimed }, options)
  return status === 'stale' ? { type: 'unknown' } : undefined
}

function startOf({ uid, copy, tok }: InHand, run: string, over: string | undefined): Start {
  return { type: 'start', uid, run, copy, tok, ...(over !== undefined && { over }) }
}

async function overFor(
  ledger: Ledger,
  hand: InHand,
  answer: Exclude<AnswerTo<Start>, { status: 'started' | 'busy' }>,
  options: TakeOptions,
): Promise<Verdict> {
  if (answer.status === 'burned') return { type: 'drop' }
  return answer.fate ? settled(ledger, hand, answer.fate, options) : { type: 'unknown' }
}

/** Over for good, so an old view of it will do. */
async function settled(ledger: Ledger, { uid, copy }: InHand, fate: Fate, options: TakeOptions): Promise<Verdict> {
  if (fate.kind === 'dead' && fate.letter === undefined) return { type: 'bury', dead: fate }
  if (fate.kind === 'tomb') await ledger.append({ type: 'dropped', uid, copy }, options)
  return { type: 'drop' }
}

function owned(ledger: Ledger, uid: string, run: string): Verdict {
  const life = ledger.state.fate(uid)
  return life?.kind === 'live' && life.run === run ? { type: 'run', run, life, stalled: life.stalled } : { type: 'busy' }
}
