import type { Answer, Batch, Entry } from './entries.ts'
import { rules, type Place } from './rules.ts'
import type { State } from './state.ts'

/**
 * What one message of the log decides: an answer per entry. `repeat`: folded before. `foreign`: of another log, so it
 * changes nothing. A function of the log alone: every follower that started at any snapshot comes to the same state.
 */
export function fold(state: State, batch: Batch, offset: number): readonly Answer[] | 'repeat' | 'foreign' {
  if (!belongs(state, batch)) return 'foreign'
  if (batch.seq <= (state.writers.get(batch.writer)?.seq ?? 0)) return 'repeat'
  const stale = state.head.count - batch.seen > state.head.memory
  const answers = batch.entries.map((entry) => {
    const { count } = state.head
    state.head.count++
    return stale && entry.type !== 'open'
      ? ({ status: 'stale' } as const)
      : apply(state, entry, placeOf(batch, count + 1, offset))
  })
  mark(state, batch)
  state.forget()
  return answers
}

/** The first message of a log, and that of a writer that does not know its epoch yet, hold nothing but `open`. */
function belongs(state: State, { epoch, entries }: Batch): boolean {
  if (epoch !== '' && epoch === state.head.epoch) return true
  return epoch === '' && entries.length > 0 && entries.every(({ type }) => type === 'open')
}

function placeOf({ writer, at }: Batch, number: number, offset: number): Place {
  return { number, offset, writer, at }
}

function apply<T extends Entry['type']>(state: State, entry: Extract<Entry, { type: T }>, place: Place): Answer {
  const rule = rules[entry.type]
  return rule(state, entry, place)
}

/** Whoever was silent for as long as the log remembers is forgotten: whatever it sends again is stale by then. */
function mark({ writers, head: { count, memory } }: State, { writer, seq }: Batch): void {
  if (!writers.has(writer)) for (const [name, { at }] of writers) if (at + memory < count) writers.delete(name)
  writers.set(writer, { writer, seq, at: count })
}
