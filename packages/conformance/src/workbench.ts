import type { Breakable } from './breakable.ts'
import type { Harness } from './harness.ts'

/** Of the broker whose disk is filled, bytes: room for all that it wants at its start, and little more. */
const SMALL = 512 * 1_048_576

/** One broker for all cases that break one, and one with a small disk: opened for the first of them, in order again for each. */
export class Workbench {
  readonly #open: (disk?: number) => Promise<Breakable>
  #usual: Promise<Breakable> | undefined
  #small: Promise<Breakable> | undefined

  constructor(open: (disk?: number) => Promise<Breakable>) {
    this.#open = open
  }

  async broker(small: boolean): Promise<Breakable> {
    if (small) this.#small ??= this.#open(SMALL)
    else this.#usual ??= this.#open()
    const broker = await (small ? this.#small! : this.#usual!)
    await broker.start()
    return broker
  }

  async close(): Promise<void> {
    for (const opened of [this.#usual, this.#small]) await (await opened)?.close()
  }
}

/** The same adapter and options, at another broker. */
export function movedTo({ url: place }: Breakable, harness: Harness): Harness {
  const { module, url: usual } = harness.remote!
  const url = place + new URL(usual).search
  return { ...harness, createDriver: (given = url) => harness.createDriver(given), remote: { url, module } }
}
