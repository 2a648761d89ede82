import type { DriverListener } from '@jobport/core/driver'
import { within } from './deadline.ts'
import { toJobportError } from './faults.ts'
import { Link, type LinkListener } from './link.ts'
import { checkServer } from './server.ts'
import type { Settings } from './settings.ts'

const PING_DEADLINE = 5_000

/**
 * Three connections: the broker may stop reading from one that publishes, and calls on it then hang; who consumes and
 * who tends must not.
 */
export class Client {
  readonly publishing: Link
  readonly consuming: Link
  /** For declarations, looking, and ledgers. */
  readonly tending: Link
  #listener: DriverListener | undefined
  #isDown = false
  #isClosed = false

  constructor(settings: Settings) {
    const listener: LinkListener = {
      up: () => this.#up(),
      down: (error) => this.#down(error),
      error: (error) => this.#listener?.error(error),
    }
    this.publishing = new Link(settings, 'publish', listener)
    this.consuming = new Link(settings, 'consume', listener)
    this.tending = new Link(settings, 'tend', listener)
  }

  /** The server's name. Connects, or costs a round trip. */
  async connect(listener: DriverListener): Promise<string> {
    this.#listener = undefined
    // the first says why not, if not
    await this.tending.open()
    const server = checkServer(this.tending.server, this.tending.frameMax)
    await Promise.all([this.publishing.open(), this.consuming.open()])
    this.#listener = listener
    const channel = await this.tending.channel()
    try {
      await within(PING_DEADLINE, 'a ping', channel.close())
    } catch (error) {
      throw toJobportError(error, 'a ping')
    }
    return server
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#links.map((link) => link.close()))
  }

  get #links(): Link[] {
    return [this.publishing, this.consuming, this.tending]
  }

  #down(error: Error): void {
    if (this.#isDown || this.#isClosed) return
    this.#isDown = true
    this.#listener?.down(error)
  }

  #up(): void {
    if (!this.#isDown || !this.#links.every(({ isConnected }) => isConnected)) return
    this.#isDown = false
    this.#listener?.up()
  }
}
