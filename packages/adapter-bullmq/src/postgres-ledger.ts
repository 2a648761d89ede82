import { readNote, type Note } from './note.ts'
import * as sql from './postgres-sql.ts'
import { dueLook, type LeaseKey, type Ledger, type Look, type Raw, type State, type Window } from './ledger.ts'
import type { JobState, Scope } from '@jobport/core/driver'
import type { PoolView } from './postgres-pool.ts'
import type { QueryResultRow } from 'pg'

interface Row {
  readonly state: string | null
  readonly process_at_ms: string | null
  readonly note: unknown
  readonly attempts_started: number | null
  readonly attempts_made: number | null
  readonly stalled_count: number | null
}

interface RawRow {
  readonly id: string
  readonly name: string
  readonly data: string
  readonly added_at_ms: string
  readonly failed_reason: string | null
  readonly finished_at_ms: string | null
}

interface Found {
  readonly id: string
  readonly dedup_id: string | null
  readonly state: string
  readonly related: boolean
}

const BATCH = 5_000
const STATES: Readonly<Record<string, State>> = {
  waiting: 'waiting',
  delayed: 'delayed',
  active: 'active',
  failed: 'dead',
  completed: 'completed',
}

export class PostgresLedger implements Ledger {
  readonly #pool: PoolView
  readonly #queue: string

  constructor(pool: PoolView, queue: string) {
    this.#pool = pool
    this.#queue = queue
  }

  async free(id: string, holder: string): Promise<boolean> {
    const [row] = await this.#query<{ free: boolean }>(sql.FREE, id, holder)
    return row?.free === true
  }

  async note({ uid, token }: LeaseKey, note: Note | undefined, window: Window | undefined): Promise<void> {
    const end = Date.now() + Math.ceil(window?.left ?? 0)
    await this.#query(sql.NOTE, uid, token, note ? JSON.stringify(note) : null, window?.id ?? null, end)
  }

  async recall({ uid, token }: LeaseKey, id: string | undefined): Promise<Note> {
    return this.#transaction(async (query) => {
      if (id !== undefined) await query(sql.LOCK_ID, id)
      const [row] = await query<{ note: unknown }>(sql.RECALL, uid, token, id ?? null, Date.now())
      return readNote(row?.note)
    })
  }

  async look(uids: readonly string[]): Promise<Look[]> {
    return (await this.#query<Row & QueryResultRow>(sql.LOOK, uids)).map(toLook)
  }

  async salvage(token: string): Promise<Raw | undefined> {
    return toRaw(await this.#query(sql.SALVAGE, token))
  }

  async raw(uid: string): Promise<Raw | undefined> {
    return toRaw(await this.#query(sql.RAW, uid))
  }

  async live(id: string): Promise<string | undefined> {
    const [found] = await this.#query<Found & QueryResultRow>(sql.FIND, id)
    return found?.id
  }

  async dead(id: string): Promise<string | undefined> {
    const [found] = await this.#query<{ id: string }>(sql.DEAD, id)
    return found?.id
  }

  async counts(): Promise<Record<JobState, number>> {
    const [counts] = await this.#query<Record<JobState, string>>(sql.COUNTS, Date.now())
    const { waiting = 0, delayed = 0, active = 0, dead = 0 } = counts ?? {}
    return { waiting: Number(waiting), delayed: Number(delayed), active: Number(active), dead: Number(dead) }
  }

  /** What is overdue comes after what waits, where a claim will place it. */
  async page(state: JobState, limit: number, cursor: string | undefined): Promise<{ uids: string[]; cursor?: string }> {
    const [, late, first = null, second = null] = /^(late:)?(-?\d+):(.*)$/s.exec(cursor ?? '') ?? []
    const place = [first, second, Date.now()] as const
    const rows = await (state === 'waiting'
      ? this.#query<Row>(sql.WAITING, limit, ...place, late !== undefined)
      : this.#query<Row>(sql.PAGES[state], limit, ...place))
    const last = rows.length === limit ? rows.at(-1) : undefined
    return {
      uids: rows.map(({ id }) => id),
      ...(last && { cursor: `${last.late ? 'late:' : ''}${last.first}:${last.second}` }),
    }
  }

  async remove(id: string): Promise<boolean | { readonly native: string }> {
    return this.#transaction(async (query) => {
      const [found] = await query<Found & QueryResultRow>(sql.FIND, id)
      return found ? removeLocked(query, found.id, ['waiting', 'delayed']) : false
    })
  }

  async bury(uid: string): Promise<boolean | { readonly native: string }> {
    return this.#transaction((query) => removeLocked(query, uid, ['failed']))
  }

  /** Batch by batch, so that others are served meanwhile. */
  async purge(scope: Scope): Promise<{ removed: number; left: number }> {
    for (let total = 0; ; ) {
      const [row] = await this.#query<{ removed: number; related: number }>(sql.PURGE[scope], BATCH)
      const { removed, related } = row ?? { removed: 0, related: 0 }
      total += removed
      if (removed < BATCH) return { removed: total, left: related }
    }
  }

  async redrive(uid: string, as: { uid: string; attempts?: number }): Promise<'redriven' | 'duplicate' | 'missing' | 'native'> {
    return this.#transaction(async (query) => {
      const [old] = await query<Found & QueryResultRow>(sql.LOCK, uid, ['failed'])
      if (!old) return 'missing'
      if (old.related) return 'native'
      const id = old.dedup_id ?? uid
      await query(sql.LOCK_ID, id)
      const [row] = await query<{ taken: boolean }>(sql.TAKEN, id, Date.now())
      if (row?.taken) return 'duplicate'
      await query(sql.REDRIVE, uid, as.uid, id, as.attempts ?? null)
      return 'redriven'
    })
  }

  async sweep(): Promise<void> {
    await this.#transaction(async (query) => {
      for (const statement of sql.SWEEP) await query(statement)
    })
  }

  async #query<R extends QueryResultRow>(text: string, ...values: readonly unknown[]): Promise<R[]> {
    return (await this.#pool.query<R>(text, [this.#queue, ...values])).rows
  }

  /** Rolled back if `work` rejects. A connection that fails is thrown away. */
  async #transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect()
    let failed = true
    try {
      await client.query('BEGIN ISOLATION LEVEL READ COMMITTED')
      const result = await work(async (text, ...values) => (await client.query<never>(text, [this.#queue, ...values])).rows)
      await client.query('COMMIT')
      failed = false
      return result
    } finally {
      client.release(failed)
    }
  }
}

/** Of a page, with its place in the order. */
interface Row {
  readonly id: string
  readonly first: string
  readonly second: string
  /** Of what waits: it is overdue, and has not been moved yet. */
  readonly late?: boolean
}

type Query = <R extends QueryResultRow>(text: string, ...values: readonly unknown[]) => Promise<R[]>

/** Waits for whoever moves the job just now, and then looks where it is. */
async function removeLocked(
  query: Query,
  uid: string,
  states: readonly string[],
): Promise<boolean | { readonly native: string }> {
  const [locked] = await query<Found & QueryResultRow>(sql.LOCK, uid, states)
  if (!locked) return false
  if (locked.related) return { native: uid }
  await query(sql.DROP, uid, locked.state)
  return true
}

function toLook({
  state,
  process_at_ms: due,
  note,
  attempts_started: started,
  attempts_made: made,
  stalled_count: stalls,
}: Row): Look {
  return {
    ...(state === 'delayed' ? dueLook(Number(due)) : state !== null && { state: STATES[state] ?? 'other' }),
    note: readNote(note),
    started: started ?? 0,
    made: made ?? 0,
    stalls: stalls ?? 0,
  }
}

function toRaw([row]: QueryResultRow[]): Raw | undefined {
  if (!row) return undefined
  const { id, name, data, added_at_ms: timestamp, failed_reason: failedReason, finished_at_ms: finishedOn } = row as RawRow
  return {
    uid: id,
    name,
    data,
    timestamp: Number(timestamp),
    ...(failedReason !== null && { failedReason }),
    ...(finishedOn !== null && { finishedOn: Number(finishedOn) }),
  }
}
