import type { Breakable } from './breakable.ts'
import type { Harness } from './harness.ts'

/** One broker for all cases that break one: opened for the first of them, in order again for each. */
export class Workbench {
  readonly #open: () => Promise<Breakable>
  #opened: Promise<Breakable> | undefined

  constructor(open: () => Promise<Breakable>) {
    this.#open = open
  }

  async broker(): Promise<Breakable> {
    this.#opened ??= this.#open()
    const broker = await this.#opened
    await broker.start()
    return broker
  }

  async close(): Promise<void> {
    await (await this.#opened)?.close()
  }
}

/** The same adapter and options, at another broker. */
export function movedTo({ url: place }: Breakable, harness: Harness): Harness {
  const { module, url: usual } = harness.remote!
  const url = place + new URL(usual).search
  return { ...harness, createDriver: (given = url) => harness.createDriver(given), remote: { url, module } }
}
