import type { JobState } from '@jobport/core/driver'
import { digest } from './snapshot.ts'
import type { StateView } from './api.ts'
import type { Dead, Fate, Life, Tomb } from './records.ts'
import type { State } from './state.ts'

/** A state to read; another one takes its place when the ledger is loaded again. */
export class View implements StateView {
  readonly #state: () => State

  constructor(state: () => State) {
    this.#state = state
  }

  holder(id: string): Life | undefined {
    return this.#state().holders.get(id)
  }

  fate(uid: string): Fate | undefined {
    return this.#state().fate(uid)
  }

  counts(now: number = Date.now()): Record<JobState, number> {
    const { holders, scheduled, active, dead } = this.#state()
    let delayed = 0
    for (const life of scheduled.values()) if (life.dueAt! > now) delayed++
    let redriven = 0
    for (const letter of dead.values()) if (letter.redriven !== undefined) redriven++
    return { waiting: holders.size - active - delayed, delayed, active, dead: dead.size - redriven }
  }

  list(
    state: 'waiting' | 'delayed' | 'active',
    { limit, cursor = '-1' }: { limit: number; cursor?: string },
    now: number = Date.now(),
  ): { lives: readonly Life[]; cursor?: string } {
    const lives: Life[] = []
    for (const life of this.#state().holders.values()) {
      if (life.order <= Number(cursor) || stateOf(life, now) !== state) continue
      if (lives.length === limit) return { lives, cursor: String(lives.at(-1)?.order ?? cursor) }
      lives.push(life)
    }
    return { lives }
  }

  *tombs(): Iterable<Tomb> {
    for (const fate of this.#state().standing.values()) if (fate.kind === 'tomb') yield fate
  }

  dead(): Iterable<Dead> {
    return this.#state().dead.values()
  }

  digest(): string {
    return digest(this.#state())
  }
}

function stateOf({ run, dueAt = 0 }: Life, now: number): 'waiting' | 'delayed' | 'active' {
  if (run !== undefined) return 'active'
  return dueAt > now ? 'delayed' : 'waiting'
}
