import type { Answers, Begin, Claim, Entry, Open, Part } from './entries.ts'
import type { Life } from './records.ts'
import type { State, Window } from './state.ts'

/** Where an entry stands in the log. */
export interface Place {
  /** Number of the entry, from 1. */
  readonly number: number
  /** Of its message. */
  readonly offset: number
  readonly writer: string
  readonly at: number
}

type Rules = { readonly [T in Entry['type']]: (state: State, entry: Extract<Entry, { type: T }>, place: Place) => Answers[T] }

const OK = { status: 'ok' } as const
const REFUSED = { status: 'refused' } as const
/** Another writer may take over a snapshot that stands still for so long, ms of log time. */
const ABANDONED = 10_000
/** Windows are kept beyond their end, for writers whose clocks are behind. */
const SKEW = 60_000

/** One rule for each type of entry: it changes the state and says what was decided. */
export const rules: Rules = {
  claim: (state, claim, place) => {
    const known = verdict(state, claim.uid)
    if (known) return known
    if (place.number - claim.seen > state.head.memory) return { status: 'stale' }
    if (claim.from && !redrivable(state, claim.from)) return lose(state, claim, undefined)
    const holder = state.holders.get(claim.id)?.uid ?? openWindow(state, claim.id, place.at)?.uid
    return holder === undefined ? accept(state, claim, place) : lose(state, claim, holder)
  },

  probe: (state, { id }, { at }) => {
    const holder = state.holders.get(id)?.uid ?? openWindow(state, id, at)?.uid
    return holder === undefined ? { status: 'free' } : { status: 'taken', uid: holder }
  },

  start: (state, { uid, run, copy, tok, over }) => {
    const life = state.live(uid)
    if (!life) return { status: 'gone', fate: gone(state, uid) }
    if (life.run === run) return { status: 'started', life, stalled: life.stalled }
    if (life.copy !== copy) {
      if (!life.burned.includes(copy)) state.set({ ...life, burned: [...life.burned, copy] }, life)
      return { status: 'burned' }
    }
    if (life.run !== undefined && (tok < life.tok || over !== life.run)) return { status: 'busy', run: life.run, tok: life.tok }
    const stalled = life.run !== undefined
    const started = { ...life, run, tok, stalled, crashes: life.crashes + (stalled ? 1 : 0) }
    state.set(started, life)
    return { status: 'started', life: started, stalled }
  },

  end: (state, { uid, run }, { number }) => {
    const life = owned(state, uid, run)
    if (!life) return state.finished.get(uid)?.run === run ? OK : REFUSED
    state.free(life, { window: 'stays' })
    state.remember({ kind: 'finished', uid, why: 'ended', at: number, run })
    return OK
  },

  again: (state, { uid, run, copy, attempt, dueAt }) => {
    if (state.live(uid)?.copy === copy) return OK
    const life = owned(state, uid, run)
    if (!life) return REFUSED
    if (life.burned.includes(copy)) return { status: 'burned' }
    state.set({ ...resting(life), copy, attempt, tok: 0, burned: [], ...(dueAt !== undefined && { dueAt }) }, life)
    return OK
  },

  dead: (state, { uid, run, reason, error }, { at }) => {
    const before = state.dead.get(uid)
    if (before?.run === run) return { status: 'ok', dead: before }
    const life = owned(state, uid, run)
    if (!life) return REFUSED
    state.free(life, { window: 'ends' })
    const { id, attempt, crashes } = life
    const dead = { kind: 'dead', id, uid, run, at, attempt, crashes, reason, error } as const
    state.rest(dead)
    return { status: 'ok', dead }
  },

  buried: (state, { uid, letter }) => {
    const dead = state.dead.get(uid)
    if (!dead) return REFUSED
    if (dead.letter !== undefined) return dead.letter === letter ? OK : { status: 'other', letter: dead.letter }
    const { id, run, at, attempt, crashes, reason } = dead
    state.rest({ kind: 'dead', id, uid, run, at, attempt, crashes, reason, letter })
    return OK
  },

  cleared: (state, { uid }, { number }) => {
    if (state.dead.get(uid)?.letter === undefined) return state.finished.get(uid)?.why === 'cleared' ? OK : REFUSED
    state.finish({ kind: 'finished', uid, why: 'cleared', at: number })
    return OK
  },

  release: (state, { uid, run }) => {
    const life = owned(state, uid, run)
    if (!life) return REFUSED
    state.set(resting(life), life)
    return OK
  },

  remove: (state, { id }) => {
    const life = state.holders.get(id)
    if (!life) return { status: 'unknown' }
    if (life.run !== undefined) return { status: 'active' }
    bury(state, life)
    return { status: 'removed', uid: life.uid }
  },

  purge: (state) => {
    const removed = [...state.holders.values()].filter(({ run }) => run === undefined)
    for (const life of removed) bury(state, life)
    return { status: 'purged', count: removed.length }
  },

  dropped: (state, { uid, copy }, { number }) => {
    const tomb = state.standing.get(uid)
    if (tomb?.kind !== 'tomb' || tomb.copy !== copy) return REFUSED
    const { why, holder } = tomb
    state.finish({ kind: 'finished', uid, why, at: number, ...(holder !== undefined && { holder }) })
    return OK
  },

  open: (state, { epoch, memory }: Open) => {
    if (state.head.epoch === '') state.head = { ...state.head, epoch, memory }
    return OK
  },

  begin: (state, _: Begin, { number, offset, writer, at }) => {
    const { writing } = state.head
    if (writing && at - writing.at < ABANDONED) return REFUSED
    state.head = { ...state.head, writing: { writer, of: offset, number, lives: state.holders.size, at, next: 0 } }
    for (const [id, { until }] of state.windows) if (until + SKEW < at) state.windows.delete(id)
    return OK
  },

  part: (state, { of, index, last }: Part, { writer, at }) => {
    const { writing, ...head } = state.head
    if (!writing || writing.of !== of || writing.writer !== writer || writing.next !== index) return REFUSED
    state.head = last
      ? { ...head, snapshot: of, snapshotCount: writing.number, snapshotLives: writing.lives }
      : { ...head, writing: { ...writing, at, next: index + 1 } }
    return OK
  },
}

/** The answer to a claim whose uid is known already. */
function verdict(state: State, uid: string): Answers['claim'] | undefined {
  const fate = state.fate(uid)
  if (!fate) return undefined
  const isLost = (fate.kind === 'tomb' || fate.kind === 'finished') && fate.why === 'lost'
  return isLost ? lostTo(fate.holder) : { status: 'accepted' }
}

/** Its message stays where it is; whoever receives it drops it. */
function lose(state: State, { uid, copy, dueAt }: Claim, holder: string | undefined): Answers['claim'] {
  state.rest({
    kind: 'tomb',
    uid,
    why: 'lost',
    copy,
    ...(dueAt !== undefined && { dueAt }),
    ...(holder !== undefined && { holder }),
  })
  return lostTo(holder)
}

function lostTo(holder: string | undefined): Answers['claim'] {
  return holder === undefined ? { status: 'missing' } : { status: 'duplicate', uid: holder }
}

function redrivable(state: State, { uid, letter }: { uid: string; letter: string }): boolean {
  const dead = state.dead.get(uid)
  return dead?.letter === letter && dead.redriven === undefined
}

function openWindow(state: State, id: string, at: number): Window | undefined {
  const window = state.windows.get(id)
  return window && window.until > at ? window : undefined
}

function accept(state: State, { id, uid, copy, until, dueAt, from, body }: Claim, { number }: Place): Answers['claim'] {
  if (until !== undefined) state.windows.set(id, { id, uid, until })
  const optional = { ...(body !== undefined && { body }), ...(dueAt !== undefined && { dueAt }) }
  state.set({
    kind: 'live',
    id,
    uid,
    copy,
    order: number,
    attempt: 1,
    crashes: 0,
    tok: 0,
    stalled: false,
    burned: [],
    ...optional,
  })
  const dead = from && state.dead.get(from.uid)
  if (dead) state.rest({ ...dead, redriven: uid })
  return { status: 'accepted' }
}

/** `undefined` of a live one cannot be: the caller has looked. */
function gone(state: State, uid: string): Exclude<ReturnType<State['fate']>, Life> {
  const fate = state.fate(uid)
  return fate?.kind === 'live' ? undefined : fate
}

function owned(state: State, uid: string, run: string): Life | undefined {
  const life = state.live(uid)
  return life?.run === run ? life : undefined
}

/** Without an owner, and due. */
function resting({ id, uid, copy, order, body, attempt, crashes, tok, burned }: Life): Life {
  return {
    kind: 'live',
    id,
    uid,
    copy,
    order,
    attempt,
    crashes,
    tok,
    stalled: false,
    burned,
    ...(body !== undefined && { body }),
  }
}

/** Removes a waiting or delayed life. */
function bury(state: State, life: Life): void {
  state.free(life, { window: 'ends' })
  const { uid, copy, dueAt } = life
  state.rest({ kind: 'tomb', uid, why: 'removed', copy, ...(dueAt !== undefined && { dueAt }) })
}
