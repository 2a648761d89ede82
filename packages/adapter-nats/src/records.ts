import { headers as newHeaders, type MsgHdrs } from '@nats-io/transport-node'
import { CODES, Refusal } from './faults.ts'
import { readPage, type Page } from './page.ts'
import { recordOf, type StoredRecord } from './stored-record.ts'
import type { Client } from './client.ts'
import type { Names } from './names.ts'

export interface Write {
  readonly subject: string
  readonly headers: Readonly<Record<string, string>>
  readonly data: Uint8Array | string
}

/** Sequence 0 means: there is none. */
export interface Expectation {
  readonly seq: number
  /** Subject, or filter, whose newest record must have that sequence. */
  readonly of: string
}

interface Query {
  readonly last_by_subj: string
}

/** Reads and writes one queue's stream. Each write is atomic with its expectation. */
export class Records {
  readonly names: Names
  readonly #client: Client

  constructor(client: Client, names: Names) {
    this.#client = client
    this.names = names
  }

  /** Answers the sequence. Rejects with {@link Refusal} `conflict` if the expectation is not met. */
  async write({ subject, headers, data }: Write, expected: Expectation): Promise<number> {
    const { seq } = await this.#client.call<{ seq: number }>(subject, data, nativeHeaders(headers, expected))
    return seq
  }

  /** Two writes or none. */
  async writeBoth(
    first: Write,
    expectedFirst: Expectation,
    second: Write,
    expectedSecond: Expectation,
  ): Promise<readonly [number, number]> {
    const batch = { 'Nats-Batch-Id': crypto.randomUUID() }
    const one = nativeHeaders({ ...first.headers, ...batch, 'Nats-Batch-Sequence': '1' }, expectedFirst)
    const two = nativeHeaders(
      { ...second.headers, ...batch, 'Nats-Batch-Sequence': '2', 'Nats-Batch-Commit': '1' },
      expectedSecond,
    )
    this.#client.checkSize(second.data, two)
    const begun = await this.#client.request(first.subject, first.data, one)
    if (begun.data.length > 0) throw new Refusal(begun.json<{ error: object }>().error)
    const { seq } = await this.#client.call<{ seq: number }>(second.subject, second.data, two)
    return [seq - 1, seq]
  }

  /** The newest record of a subject or filter. */
  last(subject: string): Promise<StoredRecord | undefined> {
    return this.#get({ last_by_subj: subject })
  }

  /** Whether a subject has a record, as the leader knows it. Costs little, however large the record. */
  async has(subject: string): Promise<boolean> {
    const { state } = await this.#client.call<{ state: { subjects?: Record<string, number> } }>(
      `$JS.API.STREAM.INFO.${this.names.stream}`,
      JSON.stringify({ subjects_filter: subject }),
    )
    return state.subjects?.[subject] !== undefined
  }

  /** Of the newest record that was ever stored, as the leader knows it. */
  async lastSequence(): Promise<number> {
    const { state } = await this.#client.manager.streams.info(this.names.stream)
    return state.last_seq
  }

  /** Up to `limit` records from sequence `from` on, oldest first, and how many more there are. */
  async page(filter: string, from: number, limit: number): Promise<Page> {
    return readPage(this.#client.connection, this.names.stream, {
      seq: Math.max(1, from),
      next_by_subj: filter,
      batch: limit,
    })
  }

  async count(filter: string): Promise<number> {
    const { records, left } = await this.page(filter, 1, 1)
    return records.length + left
  }

  /** Whether it was there. */
  async remove(seq: number): Promise<boolean> {
    try {
      await this.#client.call(`$JS.API.STREAM.MSG.DELETE.${this.names.stream}`, JSON.stringify({ seq, no_erase: true }))
      return true
    } catch (error) {
      if (error instanceof Refusal && error.status !== 503) return false
      throw error
    }
  }

  /** Of one copy any answer is right; of several only the leader's is. */
  async #get(query: Query): Promise<StoredRecord | undefined> {
    const { replicated, settings } = this.#client
    return settings.replicas > 1 || replicated.has(this.names.stream) ? this.#getFromLeader(query) : this.#getDirectly(query)
  }

  async #getDirectly(query: Query): Promise<StoredRecord | undefined> {
    const answer = await this.#client.request(`$JS.API.DIRECT.GET.${this.names.stream}`, JSON.stringify(query))
    const { headers } = answer
    if (!headers || headers.code === 404) return undefined
    if (headers.code > 0) throw new Refusal({ code: headers.code, description: headers.description })
    return recordOf(answer)
  }

  async #getFromLeader(query: Query): Promise<StoredRecord | undefined> {
    const found = await this.#client.manager.streams.getMessage(this.names.stream, query).catch((error: { code?: number }) => {
      if (error.code === CODES.messageMissing) return null
      throw error
    })
    return found
      ? { subject: found.subject, seq: found.seq, time: found.time.getTime(), headers: found.header, data: found.data }
      : undefined
  }
}

function nativeHeaders(own: Readonly<Record<string, string>>, { seq, of }: Expectation): MsgHdrs {
  const native = newHeaders()
  for (const [name, value] of Object.entries(own)) native.set(name, value)
  native.set('Nats-Expected-Last-Subject-Sequence', String(seq))
  native.set('Nats-Expected-Last-Subject-Sequence-Subject', of)
  return native
}
