import { JobportError } from '@jobport/core/driver'
import { Client } from 'pg'
import { connectionConfig, entering, socketOf } from './postgres-pool.ts'
import type { PostgresTarget } from './target.ts'

interface Watch {
  readonly onDown: () => void
  readonly onUp: () => void
  /** What a new connection is needed for besides. */
  readonly prepare: (client: Client) => Promise<void>
}

/**
 * One connection held open: a pool's come and go, so it is this one that knows whether the server is there. Once
 * opened it is made anew whenever it is lost, until closed.
 */
export class PostgresLink {
  readonly #target: PostgresTarget
  readonly #watch: Watch
  #client: Client | undefined
  #retry: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(target: PostgresTarget, watch: Watch) {
    this.#target = target
    this.#watch = watch
  }

  get isUp(): boolean {
    return this.#client !== undefined
  }

  get client(): Client | undefined {
    return this.#client
  }

  /** A connection that nobody watches yet. */
  async dial(): Promise<Client> {
    const client = new Client(connectionConfig(this.#target))
    client.on('error', () => {})
    try {
      await client.connect()
      await client.query(entering(this.#target.schema))
      await this.#watch.prepare(client)
      return client
    } catch (error) {
      hangUp(client)
      throw error
    }
  }

  /** Takes what {@link dial} gave. */
  hold(client: Client): void {
    if (this.#isClosed) return hangUp(client)
    this.#client = client
    client.once('end', () => this.#lost(client))
    // somebody may have come meanwhile
    void this.#watch.prepare(client).catch(() => {})
  }

  /** Rejects, and counts the connection as lost, if there is no answer. */
  async ping(): Promise<void> {
    const client = this.#client
    if (!client) throw new JobportError('UNAVAILABLE', 'postgres: the connection is down')
    try {
      await client.query('SELECT 1')
    } catch (error) {
      hangUp(client)
      this.#lost(client)
      throw error
    }
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#retry)
    const client = this.#client
    this.#client = undefined
    if (client) hangUp(client)
  }

  #held(client: Client): void {
    this.hold(client)
    if (this.isUp) this.#watch.onUp()
  }

  #lost(client: Client): void {
    if (this.#client !== client) return
    this.#client = undefined
    this.#watch.onDown()
    this.#redial(1)
  }

  #redial(tries: number): void {
    if (this.#isClosed) return
    this.#retry = setTimeout(
      () => {
        void this.dial().then(
          (client) => this.#held(client),
          () => this.#redial(tries + 1),
        )
      },
      Math.min(50 * 2 ** (tries - 1), 2_000) + Math.random() * 50,
    )
  }
}

export function hangUp(client: Client): void {
  client.end().catch(() => {})
  socketOf(client).destroy()
}
