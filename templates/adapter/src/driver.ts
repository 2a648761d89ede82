import { readOptions, type ExampleOptions } from './options.ts'
import { ExampleAdmin } from './admin.ts'
import { unwritten } from './unwritten.ts'
import type {
  Consumer,
  ConsumeOptions,
  Delivery,
  Driver,
  DriverListener,
  Features,
  Message,
  PublishResult,
  QueueAdmin,
  ServerInfo,
} from '@jobport/core/driver'

/** Declare what the broker can do as you write it: whatever is `false` is refused. */
const FEATURES: Features = Object.freeze({
  delay: false,
  dedup: false,
  priority: false,
  ordered: false,
  pause: false,
  cancel: false,
  inspect: false,
  durable: true,
})

/** Jobport on Example. */
export class ExampleDriver implements Driver {
  readonly contract = 1
  readonly name = 'example'
  readonly features: Features = FEATURES
  readonly #options: Required<ExampleOptions>

  constructor(config: string | ExampleOptions) {
    this.#options = readOptions(config)
  }

  connect(_listener: DriverListener): Promise<ServerInfo> {
    return unwritten(`connect to ${new URL(this.#options.url).host}`)
  }

  publish(_queue: string, _messages: readonly Message[], _options: { signal: AbortSignal }): Promise<PublishResult[]> {
    return unwritten('publish')
  }

  consume(_queue: string, _deliver: (delivery: Delivery) => void, _options: ConsumeOptions): Promise<Consumer> {
    return unwritten('consume')
  }

  admin(queue: string): QueueAdmin {
    return new ExampleAdmin(queue)
  }

  async close(): Promise<void> {}
}
