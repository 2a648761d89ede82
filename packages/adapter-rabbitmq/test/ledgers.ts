import { expect } from 'chai'
import { openBroker, type RunningBroker } from '@jobport/brokers'
import { Client } from './client.ts'
import type { LedgerOptions } from '../src/ledger/api.ts'
import type { Claim } from '../src/ledger/entries.ts'
import type { Ledger } from '../src/ledger/ledger.ts'

/** Ledgers on one stream, each with a connection of its own. */
export interface Fixture {
  /** Another one for each test. */
  readonly stream: string
  readonly clients: Client[]
  client(): Client
  open(options?: Partial<LedgerOptions>): Promise<Ledger>
}

/** To be called within `describe`. */
export function useLedgers(): Fixture {
  let broker: RunningBroker
  let stream = ''
  const clients: Client[] = []
  const client = (): Client => {
    const made = new Client(broker.url)
    clients.push(made)
    return made
  }
  before(async () => (broker = await openBroker('rabbitmq')))
  after(() => broker.close())
  beforeEach(() => (stream = `ledger.${crypto.randomUUID()}`))
  afterEach(async () => {
    await clients[0]?.deleteStream(stream).catch(() => undefined)
    await Promise.all(clients.splice(0).map((one) => one.close()))
  })
  return {
    get stream() {
      return stream
    },
    clients,
    client,
    open: async (options = {}) => {
      const ledger = client().ledger(stream, options)
      await ledger.start()
      return ledger
    },
  }
}

export function claim(ledger: Ledger, id: string, uid: string, more: Partial<Claim> = {}): Claim {
  return { type: 'claim', id, uid, copy: `${uid}-1`, seen: ledger.seen, ...more }
}

/** They agree on everything, once all have read the same. */
export async function expectSame(...ledgers: readonly Ledger[]): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    await Promise.all(ledgers.map((ledger) => ledger.sync()))
    // the writers of snapshots may go on meanwhile
    if (new Set(ledgers.map(({ seen }) => seen)).size > 1) continue
    expect(new Set(ledgers.map(({ state }) => state.digest())).size).to.equal(1)
    return
  }
  expect.fail(`the ledgers never stood still: ${ledgers.map(({ seen }) => seen).join(', ')}`)
}
