import type { InHand, LedgerApi, TakeOptions, Verdict } from './api.ts'
import type { AnswerTo, Start } from './entries.ts'
import type { Fate } from './records.ts'

/** How long a message that is not current waits to become it, ms: burning at once would livelock with `again`. */
const PATIENCE = 1_000
/** A start that took longer from its append to its answer may be an old one, ms. */
const FRESH = 500

type Log = Pick<LedgerApi, 'append' | 'until' | 'epoch' | 'seen' | 'state'>

/** May this message run? Says what to do with it; see {@link Verdict}. */
export async function take(log: Log, hand: InHand, options: TakeOptions): Promise<Verdict> {
  const known = await meet(log, hand, options)
  if (known) return known
  const run = token()
  let over: string | undefined
  for (;;) {
    if (!options.usable()) return { type: 'busy' }
    const sent = performance.now()
    const answer = await log.append(startOf(hand, run, over), options)
    if (answer.status === 'busy' && answer.tok > hand.tok) return { type: 'busy' }
    if (answer.status === 'busy') over = answer.run
    else if (answer.status !== 'started') return overFor(log, hand, answer, options)
    else if (isFresh(sent) && options.usable()) return owned(log, hand.uid, run)
  }
}

/** A fresh random token for a copy, a run or a letter. */
export function token(): string {
  return crypto.randomUUID().slice(0, 18)
}

/** Claims for a producer that never did, and waits for a message that came before its `again`. */
async function meet(log: Log, hand: InHand, options: TakeOptions): Promise<Verdict | undefined> {
  const fate = log.state.fate(hand.uid)
  if (!fate) return hand.adopt && adopt(log, hand, options)
  if (fate.kind !== 'live') return settled(log, hand, fate, options)
  if (fate.copy !== hand.copy) await log.until(hand.uid, (now) => now?.kind !== 'live' || now.copy === hand.copy, PATIENCE)
  return undefined
}

/** One of another epoch is claimed anew, whatever its age: a lost ledger may double jobs, never lose them. */
async function adopt(log: Log, hand: InHand, options: TakeOptions): Promise<Verdict | undefined> {
  const { uid, copy, epoch, adopt } = hand
  const claimed = { ...adopt!, uid, copy, seen: epoch === log.epoch ? adopt!.seen : log.seen }
  const { status } = await log.append({ type: 'claim', ...claimed }, options)
  return status === 'stale' ? { type: 'unknown' } : undefined
}

function startOf({ uid, copy, tok }: InHand, run: string, over: string | undefined): Start {
  return { type: 'start', uid, run, copy, tok, ...(over !== undefined && { over }) }
}

async function overFor(
  log: Log,
  hand: InHand,
  answer: Exclude<AnswerTo<Start>, { status: 'started' | 'busy' }>,
  options: TakeOptions,
): Promise<Verdict> {
  if (answer.status === 'burned') return { type: 'drop' }
  return answer.fate ? settled(log, hand, answer.fate, options) : { type: 'unknown' }
}

/** Over for good, so an old view of it will do. */
async function settled(log: Log, { uid, copy }: InHand, fate: Fate, options: TakeOptions): Promise<Verdict> {
  if (fate.kind === 'dead' && fate.letter === undefined) return { type: 'bury', dead: fate }
  if (fate.kind === 'tomb') await log.append({ type: 'dropped', uid, copy }, options)
  return { type: 'drop' }
}

function isFresh(sent: number): boolean {
  return performance.now() - sent < FRESH
}

function owned(log: Log, uid: string, run: string): Verdict {
  const life = log.state.fate(uid)
  return life?.kind === 'live' && life.run === run ? { type: 'run', run, life, stalled: life.stalled } : { type: 'busy' }
}
