import { readNote, type Note } from './note.ts'
import { SCRIPTS, type ScriptName } from './redis-scripts.ts'
import { dueLook, type LeaseKey, type Ledger, type Look, type Raw, type State, type Window } from './ledger.ts'
import type { JobState, Scope } from '@jobport/core/driver'
import type { Cluster, Redis } from 'ioredis'

type Call = (...args: (string | number)[]) => Promise<unknown>

const BATCH = 1_000
/** Whose states BullMQ keeps apart. What is overdue comes last, where a claim will put it. */
const WAITING = ['wait', 'prioritized']
const PURGED: Record<Scope, readonly string[]> = { live: [...WAITING, 'delayed'], dead: ['failed'] }
/** BullMQ orders the delayed jobs of one millisecond by the low twelve bits. */
const MS = 0x1000
const LISTS = ['wait', 'active']
const RAW = ['name', 'data', 'timestamp', 'failedReason', 'finishedOn']

export class RedisLedger implements Ledger {
  readonly #client: Redis | Cluster
  readonly #base: string
  readonly #onError: (error: Error) => void

  /** `base` is the queue's prefix, `bull:orders:`. */
  constructor(client: Redis | Cluster, base: string, onError: (error: Error) => void) {
    this.#client = client
    this.#base = base
    this.#onError = onError
    for (const [name, lua] of SCRIPTS)
      if (!(command(name) in client)) client.defineCommand(command(name), { lua, numberOfKeys: 1 })
  }

  async free(id: string, holder: string): Promise<boolean> {
    return (await this.#run('free', id, holder)) === 1
  }

  /** A connection keeps the order of its commands, so there is nothing to wait for. */
  async note({ uid, token }: LeaseKey, note: Note | undefined, window: Window | undefined): Promise<void> {
    const written = this.#run(
      'note',
      uid,
      token,
      note ? JSON.stringify(note) : '',
      window?.id ?? '',
      Math.ceil(window?.left ?? 0),
    )
    written.catch(this.#onError)
  }

  async recall({ uid, token }: LeaseKey, id: string | undefined): Promise<Note> {
    return readNote(await this.#run('recall', uid, token, id ?? ''))
  }

  async look(uids: readonly string[]): Promise<Look[]> {
    if (uids.length === 0) return []
    return ((await this.#run('look', ...uids)) as string[][]).map(toLook)
  }

  async salvage(token: string): Promise<Raw | undefined> {
    const uid = (await this.#run('salvage', token)) as string | null
    return uid === null ? undefined : this.raw(uid)
  }

  async raw(uid: string): Promise<Raw | undefined> {
    const [name, data, timestamp, failedReason, finishedOn] = await this.#client.hmget(this.#base + uid, ...RAW)
    if (name == null && data == null) return undefined
    return {
      uid,
      name: name ?? '',
      data: data ?? '',
      ...(Number(timestamp) > 0 && { timestamp: Number(timestamp) }),
      ...(failedReason != null && { failedReason }),
      ...(Number(finishedOn) > 0 && { finishedOn: Number(finishedOn) }),
    }
  }

  async live(id: string): Promise<string | undefined> {
    return ((await this.#run('find', id)) as string | null) ?? undefined
  }

  async dead(id: string): Promise<string | undefined> {
    for (let from = ''; ; ) {
      const [uid = '', next = ''] = (await this.#run('dead', id, from)) as string[]
      if (next === '') return uid === '' ? undefined : uid
      from = next
    }
  }

  async counts(): Promise<Record<JobState, number>> {
    const [waiting = 0, delayed = 0, active = 0, dead = 0] = (await this.#run('counts', endOfNow())) as number[]
    return { waiting, delayed, active, dead }
  }

  async page(state: JobState, limit: number, cursor: string | undefined): Promise<{ uids: string[]; cursor?: string }> {
    if (state === 'dead') return this.#deadPage(limit, cursor)
    const start = Number(cursor ?? 0)
    if (state === 'delayed') return this.#delayedPage(limit, start)
    const uids =
      state === 'active'
        ? await this.#range('active', start, limit)
        : ((await this.#run('waiting', start, limit, endOfNow())) as string[])
    return { uids, ...(uids.length === limit && { cursor: String(start + limit) }) }
  }

  async remove(id: string): Promise<boolean | { readonly native: string }> {
    return removal(await this.#run('remove', id))
  }

  async bury(uid: string): Promise<boolean | { readonly native: string }> {
    return removal(await this.#run('bury', uid))
  }

  /** Batch by batch, so that Redis serves others meanwhile; as much as there was at the start, so that it ends. */
  async purge(scope: Scope): Promise<{ removed: number; left: number }> {
    const total = { removed: 0, left: 0 }
    for (const source of PURGED[scope]) {
      let offset = 0
      for (let left = await this.#size(source); left > 0; left -= BATCH) {
        const [removed = 0, kept = 0] = (await this.#run('purge', source, offset, Math.min(left, BATCH))) as number[]
        total.removed += removed
        total.left += kept
        offset += kept
        if (removed + kept === 0) break
      }
    }
    return total
  }

  async redrive(uid: string, as: { uid: string; attempts?: number }): Promise<'redriven' | 'duplicate' | 'missing' | 'native'> {
    return (await this.#run('redrive', uid, as.uid, as.attempts ?? '', Date.now())) as
      | 'redriven'
      | 'duplicate'
      | 'missing'
      | 'native'
  }

  async sweep(): Promise<void> {
    const pattern = `${this.#base.replace(/[\\*?[\]]/g, '\\$&')}*`
    const nodes = this.#client.isCluster ? (this.#client as Cluster).nodes('master') : [this.#client as Redis]
    for (const node of nodes) {
      for (let cursor = '0', first = true; first || cursor !== '0'; first = false) {
        const [next, keys] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', BATCH)
        if (keys.length > 0) await this.#client.unlink(...keys)
        cursor = next
      }
    }
  }

  /** The cursor is a place among all that BullMQ keeps as delayed, so that what falls due between two pages shifts nothing. */
  async #delayedPage(limit: number, cursor: number): Promise<{ uids: string[]; cursor?: string }> {
    const from = Math.max(cursor, await this.#overdue())
    const uids = await this.#range('delayed', from, limit)
    return { uids, ...(uids.length === limit && { cursor: String(from + limit) }) }
  }

  /** How many are due but have not been moved. */
  async #overdue(): Promise<number> {
    return this.#client.zcount(`${this.#base}delayed`, '-inf', endOfNow())
  }

  /** Newest first. Goes on after the last one shown, wherever that stands now, or where it stood. */
  async #deadPage(limit: number, cursor: string | undefined): Promise<{ uids: string[]; cursor?: string }> {
    const key = `${this.#base}failed`
    const start = cursor === undefined ? 0 : await this.#placeAfter(key, cursor)
    const entries = await this.#client.zrevrange(key, start, start + limit - 1, 'WITHSCORES')
    const uids = entries.filter((_, i) => i % 2 === 0)
    return { uids, ...(uids.length === limit && { cursor: `${entries.at(-1)}:${uids.at(-1)}` }) }
  }

  async #placeAfter(key: string, cursor: string): Promise<number> {
    const [, score = '', uid = ''] = /^(\d+):(.*)$/s.exec(cursor) ?? []
    const [newer, sameTime] = await Promise.all([
      this.#client.zcount(key, `(${score}`, '+inf'),
      this.#client.zrangebyscore(key, score, score),
    ])
    return newer + sameTime.filter((other) => Buffer.compare(Buffer.from(other), Buffer.from(uid)) >= 0).length
  }

  async #range(source: string, from: number, count: number): Promise<string[]> {
    const key = this.#base + source
    if (!LISTS.includes(source)) return this.#client.zrange(key, from, String(from + count - 1))
    // lists are consumed from their end
    return (await this.#client.lrange(key, -from - count, -from - 1)).toReversed()
  }

  async #size(source: string): Promise<number> {
    const key = this.#base + source
    return LISTS.includes(source) ? this.#client.llen(key) : this.#client.zcard(key)
  }

  async #run(name: ScriptName, ...args: (string | number)[]): Promise<unknown> {
    return (this.#client as unknown as Record<string, Call>)[command(name)]!(this.#base, ...args)
  }
}

/** Under what name a connection knows a script. */
export function command(name: ScriptName): string {
  return `jobport:${name}`
}

function toLook([state = '', due = '', note, started, made, stalls]: string[]): Look {
  return {
    ...(due !== '' ? dueLook(Math.floor(Number(due) / MS)) : state !== '' && { state: state as State }),
    note: readNote(note),
    started: Number(started),
    made: Number(made),
    stalls: Number(stalls),
  }
}

/** The highest score of what is due. */
function endOfNow(): number {
  return (Date.now() + 1) * MS - 1
}

function removal(answer: unknown): boolean | { readonly native: string } {
  return typeof answer === 'string' ? { native: answer } : answer === 1
}
