import type { JobportError } from '@jobport/core/driver'
import { Ledger } from './ledger/ledger.ts'
import type { Calls } from './calls.ts'
import type { LedgerApi } from './ledger/api.ts'
import type { Link } from './link.ts'
import type { Settings } from './settings.ts'
import type { Topology } from './topology.ts'

export interface LedgersOptions {
  readonly link: Link
  readonly calls: Calls
  readonly topology: Topology
  readonly settings: Settings
  readonly onError: (error: JobportError) => void
}

/** The ledgers that this driver follows: one a queue, from when it is first needed. */
export class Ledgers {
  readonly #options: LedgersOptions
  readonly #open = new Map<string, LedgerApi | Promise<LedgerApi>>()
  #closed = false

  constructor(options: LedgersOptions) {
    this.#options = options
  }

  /** Made if there is none; at once if it is followed already. */
  of(queue: string): LedgerApi | Promise<LedgerApi> {
    const open = this.#open.get(queue)
    if (open) return open
    const opening = this.#start(queue)
    this.#open.set(queue, opening)
    const isCurrent = (): boolean => this.#open.get(queue) === opening
    opening.then(
      (ledger) => isCurrent() && this.#open.set(queue, ledger),
      () => isCurrent() && this.#open.delete(queue),
    )
    return opening
  }

  /** `undefined` if there is none; whoever only looks makes none. */
  async find(queue: string): Promise<LedgerApi | undefined> {
    const { calls, topology } = this.#options
    const open = this.#open.get(queue)
    if (open) return open
    const { ledger } = topology.names(queue)
    const found = await calls.find(`looking for the ledger of ${queue}`, (channel) => channel.checkQueue(ledger))
    return found && this.of(queue)
  }

  async forget(queue: string): Promise<void> {
    const open = this.#open.get(queue)
    this.#open.delete(queue)
    await Promise.resolve(open)
      .then((ledger) => ledger?.close())
      .catch(() => {})
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#open.keys()].map((queue) => this.forget(queue)))
  }

  async #start(queue: string): Promise<LedgerApi> {
    const { link, topology, settings, onError } = this.#options
    const ledger = new Ledger({
      stream: topology.names(queue).ledger,
      open: async () => {
        await topology.standing(queue)
        return link.confirmChannel()
      },
      retention: settings.ledgerSize,
      listener: {
        down: () => {},
        up: () => {},
        error: (error) => onError(error as JobportError),
      },
    })
    await ledger.start()
    if (this.#closed) await ledger.close()
    return ledger
  }
}
