import { expect } from 'chai'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { patiently } from '@jobport/conformance'
import { openBroker, type RunningBroker } from '@jobport/brokers'
import { Client } from './client.ts'
import { SIZES, type Said } from './hammer.ts'
import { expectSame } from './ledgers.ts'
import type { Ledger } from '../src/ledger/ledger.ts'

const PROGRAM = join(import.meta.dirname, 'hammer.ts')

/** Processes that write one ledger, and all that they said was confirmed. */
class Crowd {
  readonly said: Said[] = []
  readonly #url: string
  readonly #stream: string
  readonly #members = new Set<ChildProcess>()

  constructor(url: string, stream: string) {
    this.#url = url
    this.#stream = stream
  }

  add(): void {
    const member = spawn(process.execPath, [PROGRAM, this.#url, this.#stream], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#members.add(member)
    createInterface(member.stdout).on('line', (line) => this.said.push(JSON.parse(line) as Said))
  }

  /** Resolves once they have said so much more, whoever said it. */
  async says(more: number): Promise<void> {
    const enough = this.said.length + more
    while (this.said.length < enough) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  async killOne(): Promise<void> {
    const [member] = this.#members
    this.#members.delete(member!)
    const closed = once(member!, 'close')
    member!.kill('SIGKILL')
    await closed
  }

  async pauseOne(ms: number): Promise<void> {
    const member = [...this.#members].at(-1)!
    member.kill('SIGSTOP')
    await new Promise((resolve) => setTimeout(resolve, ms))
    member.kill('SIGCONT')
  }

  async stop(): Promise<void> {
    await Promise.all(
      [...this.#members].map(async (member) => {
        const closed = once(member, 'close')
        member.stdin!.write('stop\n')
        await closed
      }),
    )
    this.#members.clear()
  }

  abandon(): void {
    for (const member of this.#members) member.kill('SIGKILL')
  }
}

describe('Ledger under kills', function () {
  this.timeout(60_000)
  let broker: RunningBroker
  let crowd: Crowd
  let client: Client
  let stream: string

  before(async () => (broker = await openBroker('rabbitmq', { own: true })))
  after(() => broker.close())
  beforeEach(() => {
    stream = `ledger.${crypto.randomUUID()}`
    client = new Client(broker.url)
    crowd = new Crowd(broker.url, stream)
  })
  afterEach(async () => {
    crowd.abandon()
    await client.close()
  })

  /** Follows from the beginning, and remembers all. */
  async function observe(): Promise<Ledger> {
    const ledger = client.ledger(stream, SIZES)
    await ledger.start()
    return ledger
  }

  async function expectIntact(observer: Ledger): Promise<void> {
    await observer.sync()
    const uids = (key: string): string[] =>
      crowd.said.flatMap((said) => Object.entries(said).flatMap(([what, uid]) => (what === key ? [String(uid)] : [])))
    const over = [...uids('ended'), ...uids('removed')]
    expect(new Set(over).size).to.equal(over.length)
    const lost = uids('accepted').filter((uid) => {
      const fate = observer.state.fate(uid)
      return fate === undefined || ('why' in fate && fate.why === 'lost')
    })
    expect(lost).to.deep.equal([])
    for (const uid of uids('ended')) expect(observer.state.fate(uid)).to.include({ why: 'ended' })
    for (const uid of uids('removed')) expect(observer.state.fate(uid)).to.include({ why: 'removed' })
    await expectSame(observer, await observe())
  }

  it('holds every promise while its writers are killed and stopped', async () => {
    const observer = await observe()
    for (let i = 0; i < 3; i++) crowd.add()
    for (let kills = 0; kills < 8; kills++) {
      await crowd.says(300)
      if (kills % 3 === 1) await crowd.pauseOne(700)
      await crowd.killOne()
      crowd.add()
    }
    await crowd.says(300)
    await crowd.stop()
    await expectIntact(observer)
  })

  it('loses nothing when the broker is killed', async () => {
    const observer = await observe()
    for (let i = 0; i < 2; i++) crowd.add()
    await crowd.says(500)
    await broker.kill()
    await broker.start()
    await crowd.says(500)
    await crowd.stop()
    await expectIntact(observer)
  })

  it('ends waits in time while the broker stands still, and works on after', async () => {
    const ledger = await observe()
    await broker.pause()
    const began = Date.now()
    const entry = { type: 'claim', id: 'i', uid: 'u', copy: 'c', seen: ledger.seen } as const
    const unsure = await ledger.append(entry, { signal: AbortSignal.timeout(300) }).catch((error: unknown) => error)
    expect(unsure).to.include({ code: 'UNCONFIRMED' })
    expect(Date.now() - began).to.be.lessThan(patiently(3_000))
    await broker.resume()
    const answer = await ledger.append(entry)
    expect(answer).to.deep.equal({ status: 'accepted' })
    expect(ledger.state.counts().waiting).to.equal(1)
  })
})
