/** A broker that the suite may break. What `openBroker` of Jobport's own broker helper gives fits. */
export interface Breakable {
  readonly url: string
  /** Ends it in order; what it stored stays, and so does its port. */
  stop(): Promise<void>
  /** Has it run and serve requests, whatever it was before. */
  start(): Promise<void>
  restart(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
  /** Freezes it: connections stay open, nothing is answered. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Ends it and removes what it stored. */
  close(): Promise<void>
}

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
