import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib'
import type { Socket } from 'node:net'
import { Ledger } from '../src/ledger/ledger.ts'
import type { LedgerOptions } from '../src/ledger/api.ts'

/** A process's connection to the broker, made anew when it is lost, and the ledgers that use it. */
export class Client {
  readonly url: string
  readonly ledgers: Ledger[] = []
  readonly told: string[] = []
  /** Set it to keep ledgers from connecting again. */
  away = false
  #model: Promise<ChannelModel> | undefined

  constructor(url: string) {
    this.url = url
  }

  ledger(stream: string, options: Partial<LedgerOptions> = {}): Ledger {
    const listener = {
      down: (error: Error) => void this.told.push(`down ${error.message}`),
      up: () => void this.told.push('up'),
      error: (error: Error) => void this.told.push(`error ${error.message}`),
    }
    const ledger = new Ledger({ stream, open: () => this.channel(), listener, ...options })
    this.ledgers.push(ledger)
    return ledger
  }

  async channel(): Promise<ConfirmChannel> {
    if (this.away) throw new Error('away')
    return (await this.model()).createConfirmChannel()
  }

  async model(): Promise<ChannelModel> {
    this.#model ??= this.#connect()
    return this.#model
  }

  /** As a network would. */
  async cut(): Promise<void> {
    const { connection } = (await this.model()) as unknown as { connection: { stream: Socket } }
    connection.stream.destroy(new Error('cut'))
  }

  async deleteStream(name: string): Promise<void> {
    const channel = await (await this.model()).createChannel()
    await channel.deleteQueue(name)
    await channel.close()
  }

  async close(): Promise<void> {
    await Promise.all(this.ledgers.map((ledger) => ledger.close()))
    const model = await this.#model?.catch(() => undefined)
    await model?.close().catch(() => undefined)
  }

  async #connect(): Promise<ChannelModel> {
    try {
      const model = await connect(this.url, { noDelay: true })
      model.on('error', () => {})
      model.on('close', () => (this.#model = undefined))
      return model
    } catch (error) {
      this.#model = undefined
      throw error
    }
  }
}
